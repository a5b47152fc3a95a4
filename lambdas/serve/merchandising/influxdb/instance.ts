import { secretsManagerClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import type { InfluxDbConnection } from './connection';
import type { Databases } from './line-protocol';

/** Where this stage's time series are, by the variables that every function of the room has. */
export function instance(): Omit<InfluxDbConnection, 'tokenSecretArn'> & { readonly databases: Databases } {
  return {
    url: `https://${requireEnv('INFLUXDB_ENDPOINT')}:8086`,
    databases: { sales: requireEnv('SALES_DATABASE'), items: requireEnv('ITEMS_DATABASE') },
    secrets: secretsManagerClient(),
  };
}
