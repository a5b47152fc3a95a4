import { dynamoDbClient, kmsClient } from '../../base/runtime/clients';
import { deployStep } from '../../base/runtime/deploy-step';
import { requireEnv } from '../../base/runtime/env';
import { log } from '../../base/runtime/log';
import { type KeyPurpose, newWrappedKey, readKeyset, writeKeyset } from '../keyset';

const dynamoDb = dynamoDbClient();
const kms = kmsClient();
const tableName = requireEnv('VAULT_TABLE_NAME');
const keyArns: Readonly<Record<KeyPurpose, string>> = {
  index: requireEnv('INDEX_WRAPPING_KEY_ARN'),
  data: requireEnv('DATA_WRAPPING_KEY_ARN'),
};

/**
 * Gives a new vault its first keyset, once: KMS draws both keys, and nobody sees them unwrapped.
 *
 * On repeat: the keyset that is there stays, since the vault's cards hang on it; of two that run at once one writes. On
 * failure: thrown, the deployment stops, and the next one tries again.
 */
export const handler = deployStep(async () => {
  if ((await readKeyset(dynamoDb, tableName)) !== undefined) return {};
  const first = async (purpose: KeyPurpose) => ({
    1: await newWrappedKey(kms, { keyArn: keyArns[purpose], purpose, tableName, version: 1 }),
  });
  const wrapped = { index: await first('index'), data: await first('data') };
  const sinceMs = Date.now();
  const written = await writeKeyset(dynamoDb, tableName, {
    revision: 1,
    phase: 'old',
    sinceMs,
    index: 1,
    data: 1,
    wrapped,
  });
  log.info('keyset', { created: written });
  return {};
});
