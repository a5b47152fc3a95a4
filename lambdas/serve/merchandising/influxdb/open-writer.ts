import { requireEnv } from '../../../base/runtime/env';
import type { TimeSeriesWriter } from '../time-series';
import { instance } from './instance';
import { influxDbWriter } from './writer';

/** Writes into this stage's instance. Call it once per container. */
export function openWriter(): TimeSeriesWriter {
  return influxDbWriter({ ...instance(), tokenSecretArn: requireEnv('WRITE_TOKEN_SECRET_ARN') });
}
