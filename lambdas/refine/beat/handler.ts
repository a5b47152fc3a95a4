import { heartbeatSlots } from '../../base/domain/heartbeat-slots';
import { beatPartitionKey, beatText } from '../../base/domain/sales-beat';
import { kinesisClient } from '../../base/runtime/clients';
import { requireEnv } from '../../base/runtime/env';
import { countMetrics } from '../../base/runtime/log';
import { writeRecords } from '../../base/runtime/stream-writer';

const kinesis = kinesisClient();
const streamName = requireEnv('SALES_INGEST_STREAM_NAME');
const attempts = 3;

/**
 * Writes a beat into each 64th of `sales-ingest`, every minute: what comes of them out of `sales` tells a reader how far
 * it has come, through every shard of both streams and through dedup.
 *
 * Repeated: a later beat says more. Failure: what was refused is counted, what failed as a whole is thrown; the next minute
 * beats again. Meanwhile stock grows old and says so, never wrong.
 */
export async function handler(): Promise<void> {
  const beatAt = new Date().toISOString();
  const beats = heartbeatSlots.map((slot) => ({
    partitionKey: beatPartitionKey(slot),
    text: beatText({ slot, beatAt }),
  }));
  const refused = await writeRecords(kinesis, streamName, beats, attempts);
  countMetrics({ Beats: beats.length - refused.size, BeatsRefused: refused.size });
}
