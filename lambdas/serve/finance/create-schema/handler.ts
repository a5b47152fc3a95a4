import { setTimeout as delay } from 'node:timers/promises';
import { GetNamespaceCommand } from '@aws-sdk/client-redshift-serverless';
import { redshiftDataClient, redshiftServerlessClient } from '../../../base/runtime/clients';
import { deployStep } from '../../../base/runtime/deploy-step';
import { requireEnv } from '../../../base/runtime/env';
import { log } from '../../../base/runtime/log';
import { guardStopped, literal, StatementFailed, type Warehouse, warehouse } from '../warehouse';
import { beforeMigrations, migrationGuard, migrationStatements, migrations } from './migrations';
import { grantsTo, usersOf } from './rights';

const namespaceName = requireEnv('NAMESPACE_NAME');
const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const users = usersOf(requireEnv('LEDGER_USERS'));
const redshiftData = redshiftDataClient();
const redshiftServerless = redshiftServerlessClient();

// Below the function's timeout, so that the outcome still reaches CloudFormation.
const patienceMs = 4 * 60_000;
// What a killed run has left under way in the warehouse can collide with this one in the catalog, once per statement.
const attempts = 4;

/**
 * Brings the ledger's schema to its newest version, and lets the functions in. Acts as the namespace's administrator, whose
 * password Redshift keeps in a secret that only the namespace itself can name.
 *
 * On repeat: versions that are recorded are not applied again, a user that exists is not created again. On failure: each
 * version is one transaction; the deploy fails with the warehouse's reason, and the next one goes on from there.
 */
export const handler = deployStep(async () => {
  const { namespace } = await redshiftServerless.send(new GetNamespaceCommand({ namespaceName }));
  const secretArn = namespace?.adminPasswordSecretArn;
  if (secretArn === undefined) throw new Error(`namespace ${namespaceName} has no managed administrator password`);
  const deadline = Date.now() + patienceMs;
  const admin = warehouse(redshiftData, {
    workgroupName,
    database,
    secretArn,
    remainingMs: () => deadline - Date.now(),
  });

  for (let attempt = 1; ; attempt++) {
    try {
      return await createSchema(admin);
    } catch (error) {
      if (!(error instanceof StatementFailed) || attempt === attempts) throw error;
      log.warn('tries again', { attempt, reason: error.message });
      await delay(attempt * 500);
    }
  }
});

async function createSchema(admin: Warehouse): Promise<{ version: string }> {
  await admin.run(beforeMigrations);
  const version = await migrate(admin);
  const names = users.map(([, user]) => literal(user.toLowerCase())).join(', ');
  const present = new Set(
    (await admin.rows(`SELECT LOWER(usename) FROM pg_user WHERE LOWER(usename) IN (${names})`)).map(([name]) => name),
  );
  for (const [part, user] of users)
    await admin.run([
      ...(present.has(user.toLowerCase()) ? [] : [`CREATE USER "${user}" PASSWORD DISABLE`]),
      ...grantsTo(part, user),
    ]);
  return { version: String(version) };
}

async function migrate(admin: Warehouse): Promise<number> {
  const applied = new Set(
    (await admin.rows('SELECT version FROM finance.schema_versions')).map(([version]) => version),
  );
  for (const migration of migrations) {
    if (applied.has(String(migration.version))) continue;
    try {
      await admin.run(migrationStatements(migration, new Date()));
      log.info('schema migrated', { version: migration.version });
    } catch (error) {
      // Another run of the deploy was faster.
      if (!guardStopped(error, migrationGuard)) throw error;
    }
  }
  return migrations.at(-1)?.version ?? 0;
}
