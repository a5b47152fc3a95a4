import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { secretsManagerClient } from '../../../../base/runtime/clients';
import { deployStep } from '../../../../base/runtime/deploy-step';
import { requireEnv } from '../../../../base/runtime/env';
import { readSecret } from '../../../../base/runtime/secret';
import { administrationOf } from './administration';

const secrets = secretsManagerClient();
const tokenSecretArns = { write: requireEnv('WRITE_TOKEN_SECRET_ARN'), read: requireEnv('READ_TOKEN_SECRET_ARN') };

/**
 * Runs at deploy: creates the databases with their retention, and mints one token that only writes and one that only
 * reads into their secrets. The instance's own secret knows only its first user, who may do anything, and whom no
 * function uses.
 *
 * On repeat: databases are left as they are and a token is kept that is both stored and known to the instance. On
 * failure: the deployment stops with the reason; the next one goes on from there. A token that was minted but not
 * stored, or that an instance before this one had minted, is replaced.
 */
export const handler = deployStep(async (properties) => {
  const { username = '', password = '' } = await readSecret(secrets, requireEnv('FIRST_USER_SECRET_ARN'));
  const url = `https://${requireEnv('INFLUXDB_ENDPOINT')}:8086`;
  const administration = await administrationOf(url, requireEnv('ORGANIZATION'), { username, password });

  const bucketIds = [
    await administration.ensureBucket(requireEnv('SALES_DATABASE'), Number(properties.salesRetentionDays)),
    await administration.ensureBucket(requireEnv('ITEMS_DATABASE'), Number(properties.itemsRetentionDays)),
  ];
  for (const action of ['write', 'read'] as const) {
    const secretArn = tokenSecretArns[action];
    const description = `tillstream-${action}`;
    const { id: stored } = await readSecret(secrets, secretArn);
    if (stored !== undefined && (await administration.hasToken(stored))) continue;
    const minted = await administration.mintToken(description, action, bucketIds);
    await secrets.send(new PutSecretValueCommand({ SecretId: secretArn, SecretString: JSON.stringify(minted) }));
  }
  return {};
});
