import { timestreamWriteClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import type { TimeSeriesWriter } from '../time-series';
import { tables } from './tables';
import { liveAnalyticsWriter } from './writer';

/** Writes into this stage's tables. Call it once per container. */
export function openWriter(): TimeSeriesWriter {
  return liveAnalyticsWriter({
    openClient: timestreamWriteClient,
    tables: tables(),
    salesRetentionDays: Number(requireEnv('SALES_RETENTION_DAYS')),
    itemsRetentionDays: Number(requireEnv('ITEMS_RETENTION_DAYS')),
    memoryHours: Number(requireEnv('MEMORY_HOURS')),
  });
}
