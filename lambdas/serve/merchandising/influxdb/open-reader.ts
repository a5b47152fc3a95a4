import { requireEnv } from '../../../base/runtime/env';
import type { TimeSeriesReader } from '../time-series';
import { instance } from './instance';
import { influxDbReader } from './reader';

/** Reads from this stage's instance. Call it once per container. */
export function openReader(): TimeSeriesReader {
  return influxDbReader({ ...instance(), tokenSecretArn: requireEnv('READ_TOKEN_SECRET_ARN') });
}
