import { setTimeout as delay } from 'node:timers/promises';
import { secretsManagerClient } from '../../base/runtime/clients';
import { countMetrics, log } from '../../base/runtime/log';
import { beatOnce, type HeartbeatNames } from '../heartbeat';
import { type SourceConnection, withSource } from '../source-connection';

const secrets = secretsManagerClient();

interface BeatEvent {
  readonly beats: number;
  readonly sources: readonly (SourceConnection & { readonly heartbeat: HeartbeatNames })[];
}

/**
 * Writes the 64 heartbeat rows of each source database, `beats` times a minute: what arrives of them tells how fresh every
 * shard of `changes` is.
 *
 * On repeat: rows are overwritten with the time of the later beat, which is true. On failure: the other databases are
 * beaten all the same; it is counted, and the next minute beats again. Meanwhile badges turn stale, never wrong.
 */
export async function handler({ beats, sources }: BeatEvent): Promise<void> {
  let failed = 0;
  let slotBytes = 0;
  for (let beat = 0; beat < beats; beat++) {
    if (beat > 0) await delay(60_000 / beats);
    const outcomes = await Promise.allSettled(
      sources.map((source) => withSource(secrets, source, (client) => beatOnce(client, source.heartbeat))),
    );
    outcomes.forEach((outcome, index) => {
      if (outcome.status === 'fulfilled') slotBytes = Math.max(slotBytes, outcome.value);
      else {
        failed++;
        log.error('no heartbeat', { database: sources[index]!.database, reason: outcome.reason?.message });
      }
    });
  }
  countMetrics({ BeatsFailed: failed, SlotBytes: slotBytes });
}
