import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { Client } from 'pg';
import {
  beforeMigrations,
  migrationStatements,
  migrations,
} from '../../lambdas/serve/finance/create-schema/migrations';
import { type Warehouse, warehouse } from '../../lambdas/serve/finance/warehouse';
import { type Door, openDoor } from '../../local/door/door';
import { localAccount, localRegion } from '../../local/engines/engine';
import { startPostgres } from '../../local/engines/postgres';
import { openRedshift } from '../../local/engines/redshift';
import { openS3, type S3Engine } from '../../local/engines/s3';

export const copyRoleArn = `arn:aws:iam::${localAccount}:role/copy`;
export const workgroupName = 'ledger';
export const database = 'tillstream';

/** The ledger with its newest schema, and S3, behind a door of this process. Whoever calls is its administrator. */
export interface LedgerBench {
  readonly door: Door;
  readonly s3: S3Engine;
  readonly ledger: Warehouse;
  /** The same database, without the Data API. */
  readonly client: Client;
  close(): Promise<void>;
}

export async function openLedger(): Promise<LedgerBench> {
  const directory = mkdtempSync(join(tmpdir(), 'tillstream-ledger-'));
  const postgres = await startPostgres({ directory: join(directory, 'postgres') });
  const s3 = await openS3({ directory: join(directory, 's3') });
  const redshift = openRedshift({
    postgres,
    s3: (_, operation, input) => s3.call(operation, input),
    fileOf: (bucket, key) => s3.fileOf(bucket, key),
  });
  await redshift.serverless.call('CreateNamespace', {
    namespaceName: workgroupName,
    dbName: database,
    adminUsername: 'ledger_admin',
    adminPasswordSecretArn: `arn:aws:secretsmanager:${localRegion}:${localAccount}:secret:redshift!admin-abcdef`,
    iamRoles: [copyRoleArn],
  });
  await redshift.serverless.call('CreateWorkgroup', { workgroupName, namespaceName: workgroupName });
  const door = await openDoor({
    engines: [
      {
        service: redshift.data.service,
        call: (operation, input) => redshift.data.call(operation, input),
        contents: () => redshift.data.contents(),
        close: () => redshift.data.close(),
      },
      s3,
    ],
    credentials: new Map(),
    lookup: { keyOf: () => undefined },
    invoke: async () => {
      throw new Error('there is no function here');
    },
    kill: () => {},
  });
  const ledger = warehouse(
    new RedshiftDataClient({
      endpoint: door.url,
      region: localRegion,
      credentials: door.registerAdministrator(`arn:aws:iam::${localAccount}:user/bench`),
    }),
    { workgroupName, database, remainingMs: () => 600_000 },
  );
  await ledger.run(beforeMigrations);
  for (const migration of migrations) await ledger.run(migrationStatements(migration, new Date()));
  const client = new Client({ connectionString: redshift.warehouseUrl() });
  await client.connect();
  return {
    door,
    s3,
    ledger,
    client,
    async close() {
      await client.end();
      await door.close();
      await postgres.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
