import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { lineProtocol, type Point } from './points';

/** Where points go, and how many of them were too old for the database's retention. */
export interface TimeSeries {
  write(points: readonly Point[]): Promise<{ readonly beyondRetention: number }>;
}

export interface InfluxDbOptions {
  /** `https://<endpoint>:8086`. */
  readonly url: string;
  /** Database (InfluxDB 2: bucket) of each measurement. */
  readonly databases: Readonly<Record<Point['measurement'], string>>;
  readonly secrets: SecretsManagerClient;
  /** Secret with `{"token": "..."}`, write only. */
  readonly tokenSecretArn: string;
}

/**
 * Timestream for InfluxDB, by the `/write` that InfluxDB 1, 2 and 3 share. The token is read once per container, and once
 * more when the database no longer takes it. Anything but full success or "beyond retention" is thrown and tried again.
 */
export function influxDb({ url, databases, secrets, tokenSecretArn }: InfluxDbOptions): TimeSeries {
  let token: Promise<string> | undefined;

  return {
    async write(points) {
      const counts = await Promise.all(
        (Object.keys(databases) as Point['measurement'][]).map((measurement) =>
          writeTo(
            databases[measurement],
            points.filter((point) => point.measurement === measurement),
          ),
        ),
      );
      return { beyondRetention: counts.reduce((sum, count) => sum + count, 0) };
    },
  };

  async function writeTo(database: string, points: readonly Point[]): Promise<number> {
    if (points.length === 0) return 0;
    const body = points.map(lineProtocol).join('\n');
    let answer = await send(database, body);
    if (answer.status === 401) {
      token = undefined;
      answer = await send(database, body);
    }
    if (answer.ok) return 0;
    const error = (await answer.text()).slice(0, 300);
    const beyond = /beyond retention policy.*?dropped=(\d+)/.exec(error);
    if (answer.status === 400 && beyond !== null) return Number(beyond[1]);
    throw new Error(`database ${database} took no points: HTTP ${answer.status}: ${error}`);
  }

  async function send(database: string, body: string): Promise<Response> {
    token ??= readToken();
    const authorization = `Token ${await token}`;
    return fetch(`${url}/write?db=${encodeURIComponent(database)}&precision=ns`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'text/plain; charset=utf-8' },
      body,
      signal: AbortSignal.timeout(10_000),
    });
  }

  async function readToken(): Promise<string> {
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: tokenSecretArn }));
    return JSON.parse(SecretString ?? '{}').token;
  }
}
