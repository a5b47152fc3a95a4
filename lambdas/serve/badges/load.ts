import { epochOf } from '../../base/domain/change';
import { heartbeatSlots } from '../../base/domain/heartbeat-slots';
import type { Epoch } from './epochs';
import { type HeldMark, loadMarkId, type Revision } from './held-registry';
import { type BeatsItem, oldestBeat } from './watermark';

/**
 * Marks a database as stale from before its load on: beats go on while tables are still being loaded, and vouch for
 * nothing then. What is known until the load begins is as old as the beats were; before the first load there is nothing.
 */
export function loadMark(marks: readonly HeldMark[], beats: BeatsItem, { epoch, startedAt }: Epoch): Revision {
  if (beats.epoch >= epoch) return { marks };
  const before = marks.find(({ id }) => id === loadMarkId);
  const known = Math.min(
    startedAt,
    oldestBeat(beats.beats) ?? 0,
    before === undefined ? startedAt : Date.parse(before.since),
  );
  const mark = { id: loadMarkId, since: new Date(known).toISOString(), epoch };
  // Two marks may not share an id, and a new load takes the place of the last.
  return before === undefined
    ? { marks: [...marks, mark], set: { epoch } }
    : { marks: marks.map((each) => (each === before ? mark : each)), set: { epoch } };
}

// The clocks of Kinesis and of who noted the end of the load may differ by this much.
const clockGuardMs = 2_000;

/**
 * Whether all of a load has been applied. Beats of the new epoch alone do not say so: DMS sends a table's changes as soon
 * as that table is loaded, so a beat can come before another table's rows. But a beat that arrived after DMS had sent all
 * rows of all tables lies behind them on its shard, the slots cover every shard, and a beat is noted only after all before
 * it was applied. So: every slot has a beat that arrived after the end of the load, and nothing of this epoch is held.
 */
export function isDrained(
  { epoch, loadedAt }: Epoch,
  { beats }: Pick<BeatsItem, 'beats'>,
  marks: readonly HeldMark[],
): boolean {
  if (loadedAt === undefined) return false;
  const isBehind = heartbeatSlots.every((slot) => {
    const beat = beats.get(slot);
    return (
      beat !== undefined && epochOf(beat.position) >= epoch && Date.parse(beat.arrivedAt) > loadedAt + clockGuardMs
    );
  });
  return isBehind && marks.every((mark) => mark.id === loadMarkId || mark.epoch < epoch);
}

/** After the sweep: the load is complete, and what was held before it has been overtaken by it. */
export function afterSweep(marks: readonly HeldMark[], beats: BeatsItem, epoch: number): Revision {
  const isNewest = beats.epoch <= epoch;
  return {
    marks: marks.filter((mark) => (mark.id === loadMarkId ? !isNewest : mark.epoch >= epoch)),
    set: { sweptEpoch: Math.max(epoch, beats.sweptEpoch) },
  };
}
