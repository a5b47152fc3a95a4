import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { readSecret } from '../../../base/runtime/secret';
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

// InfluxDB's own advice for a call is 5,000 to 10,000 lines; a batch of long sales has up to 100,000.
const pointsPerCall = 10_000;

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
    let beyondRetention = 0;
    for (let start = 0; start < points.length; start += pointsPerCall) {
      const lines = points.slice(start, start + pointsPerCall).map(lineProtocol);
      beyondRetention += await writeLines(database, lines.join('\n'));
    }
    return beyondRetention;
  }

  async function writeLines(database: string, body: string): Promise<number> {
    const used = currentToken();
    let answer = await send(database, body, await used);
    if (answer.status === 401) {
      // The call to the other database may have noticed first.
      if (token === used) token = undefined;
      answer = await send(database, body, await currentToken());
    }
    if (answer.ok) return 0;
    const error = await answer.text();
    const beyond = beyondRetentionIn(error);
    if (beyond !== undefined) return beyond;
    throw new Error(`database ${database} did not take all points: HTTP ${answer.status}: ${error.slice(0, 300)}`);
  }

  async function send(database: string, body: string, token: string): Promise<Response> {
    return fetch(`${url}/write?db=${encodeURIComponent(database)}&precision=ns`, {
      method: 'POST',
      headers: { authorization: `Token ${token}`, 'content-type': 'text/plain; charset=utf-8' },
      body,
      signal: AbortSignal.timeout(10_000),
    });
  }

  function currentToken(): Promise<string> {
    token ??= readToken().catch((error) => {
      // Not kept: the next invocation may be luckier.
      token = undefined;
      throw error;
    });
    return token;
  }

  async function readToken(): Promise<string> {
    const { token } = await readSecret(secrets, tokenSecretArn);
    if (token === undefined) throw new Error(`secret ${tokenSecretArn} holds no token: has it been minted?`);
    return token;
  }
}

/**
 * How many points a refusal says were too old, when that is all it says: the others were written. The words are those of
 * InfluxDB 1 and of 2 before 2.7.12 ("points beyond retention policy dropped=4"), and those since; the status was 400,
 * 422 or 500. A point in a refusal of another kind ("field type conflict") is not too old, so that is no such refusal.
 */
function beyondRetentionIn(error: string): number | undefined {
  const [, before, since] =
    /partial write: (?:points beyond retention policy dropped=(\d+)|dropped (\d+) points outside retention policy)/.exec(
      error,
    ) ?? [];
  const count = before ?? since;
  return count === undefined ? undefined : Number(count);
}
