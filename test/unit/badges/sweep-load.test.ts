import { heartbeatSlots } from '../../../lambdas/base/domain/heartbeat-slots';
import { afterSweep, isDrained, loadMark } from '../../../lambdas/serve/badges/load';
import type { BeatsItem } from '../../../lambdas/serve/badges/watermark';

const startedAt = Date.parse('2026-11-22T10:00:00Z');
const loadedAt = Date.parse('2026-11-22T10:05:00Z');
const load = { epoch: 2, startedAt, loadedAt };

const beats = (epoch: number, arrivedAt: string, more: Partial<BeatsItem> = {}): BeatsItem => ({
  beats: new Map(
    heartbeatSlots.map((slot) => [
      slot,
      { beatAt: '2026-11-22T09:59:00Z', position: `00000${epoch}:0000000000000009:0000000001`, arrivedAt },
    ]),
  ),
  heldVersion: 0,
  held: 0,
  epoch,
  sweptEpoch: 1,
  ...more,
});
const mark = { id: 'shard:1', since: '2026-11-22T10:01:00Z', epoch: 2 };

test('a load is drained when every slot has a beat that arrived after its end', () => {
  expect(isDrained(load, beats(2, '2026-11-22T10:05:30Z'), [])).toBe(true);
});

test('a beat before its end proves nothing, since another table may still be loading', () => {
  expect(isDrained(load, beats(2, '2026-11-22T10:04:59Z'), [])).toBe(false);
});

test('one slot that stands still keeps it open', () => {
  const { beats: all } = beats(2, '2026-11-22T10:05:30Z');
  const others = new Map([...all].slice(1));

  expect(isDrained(load, { beats: others }, [])).toBe(false);
  expect(
    isDrained(load, { beats: new Map([...all, ...[...beats(1, '2026-11-22T10:09:00Z').beats].slice(0, 1)]) }, []),
  ).toBe(false);
});

test('a load whose end is not known, or of which a record is held, is not drained', () => {
  const { loadedAt: _, ...going } = load;

  expect(isDrained(going, beats(2, '2026-11-22T10:05:30Z'), [])).toBe(false);
  expect(isDrained(load, beats(2, '2026-11-22T10:05:30Z'), [mark])).toBe(false);
  expect(isDrained(load, beats(2, '2026-11-22T10:05:30Z'), [{ ...mark, epoch: 1 }])).toBe(true);
});

test('a load makes its database as old as it was before, until it is swept', () => {
  const before = beats(1, '2026-11-22T09:59:00Z');

  const { marks, set } = loadMark([], before, load);

  expect(marks).toEqual([{ id: 'load', since: '2026-11-22T09:59:00.000Z', epoch: 2 }]);
  expect(set).toEqual({ epoch: 2 });
  expect(afterSweep(marks, beats(2, '2026-11-22T10:05:30Z'), 2)).toEqual({ marks: [], set: { sweptEpoch: 2 } });
});

test('before the first load nothing is known', () => {
  const nothing = { ...beats(0, ''), beats: new Map() };

  expect(loadMark([], nothing, { epoch: 1, startedAt }).marks).toMatchObject([{ since: '1970-01-01T00:00:00.000Z' }]);
});

test('a load that is followed by another hands its age on, and its sweep does not vouch for the other', () => {
  const first = loadMark([], beats(1, '2026-11-22T09:59:00Z'), load).marks;
  const loading = beats(2, '2026-11-22T10:10:00Z');

  const { marks } = loadMark(first, loading, { epoch: 3, startedAt: startedAt + 600_000 });

  expect(marks).toEqual([{ id: 'load', since: '2026-11-22T09:59:00.000Z', epoch: 3 }]);
  expect(afterSweep(marks, { ...loading, epoch: 3 }, 2).marks).toEqual(marks);
});

test('what was held before a load is overtaken by it', () => {
  const old = { ...mark, epoch: 1 };

  expect(afterSweep([old, mark], beats(2, '2026-11-22T10:05:30Z'), 2).marks).toEqual([mark]);
});
