import { requireEnv } from '../../base/runtime/env';
import { influxDbReader } from './influxdb-reader';
import { instance } from './instance';
import type { TimeSeriesReader } from './time-series';

/** The reader of the engine that this stage has. Call it once per container. */
export function openReader(): TimeSeriesReader {
  return influxDbReader({ ...instance(), tokenSecretArn: requireEnv('READ_TOKEN_SECRET_ARN') });
}
