import { requireEnv } from '../../base/runtime/env';
import { influxDbWriter } from './influxdb-writer';
import { instance } from './instance';
import type { TimeSeriesWriter } from './time-series';

/** The writer of the engine that this stage has. Call it once per container. */
export function openWriter(): TimeSeriesWriter {
  return influxDbWriter({ ...instance(), tokenSecretArn: requireEnv('WRITE_TOKEN_SECRET_ARN') });
}
