import { existsSync, readFileSync } from 'node:fs';
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Client } from 'pg';

/** A source database, as the template tells of it. */
export interface SourceConnection {
  /** `inventory` or `orders`, whatever it is called on its server. */
  readonly database: string;
  readonly databaseName: string;
  readonly secretArn: string;
  readonly tls: boolean;
}

// Where Lambda keeps the authorities of Amazon's own databases; Node does not trust them by itself.
const authorities = '/var/runtime/ca-cert.pem';

/**
 * Does work on a source database over one connection, which ends with it. The password is read anew each time, so that a
 * rotated one is known at once. Every wait is bounded.
 */
export async function withSource<Result>(
  secrets: SecretsManagerClient,
  { database, databaseName, secretArn, tls }: SourceConnection,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: secretArn }));
  const { host, port, username, password } = JSON.parse(SecretString ?? '{}');
  for (const [name, value] of Object.entries({ host, port, username, password }))
    if (value === undefined) throw new Error(`the secret of the database ${database} has no '${name}'`);
  const client = new Client({
    host,
    port: Number(port),
    user: username,
    password,
    database: databaseName,
    application_name: 'tillstream',
    connectionTimeoutMillis: 5_000,
    query_timeout: 20_000,
    statement_timeout: 15_000,
    ssl: tls ? { ...(existsSync(authorities) ? { ca: readFileSync(authorities, 'utf8') } : {}) } : false,
  });
  // A connection that breaks later shows in the query that it breaks.
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}
