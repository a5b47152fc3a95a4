import { timestreamQueryClient } from '../../../base/runtime/clients';
import type { TimeSeriesReader } from '../time-series';
import { liveAnalyticsReader } from './reader';
import { tables } from './tables';

/** Reads from this stage's tables. Call it once per container. */
export function openReader(): TimeSeriesReader {
  return liveAnalyticsReader({ openClient: timestreamQueryClient, tables: tables() });
}
