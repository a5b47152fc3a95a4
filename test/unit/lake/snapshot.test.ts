import fc from 'fast-check';
import { isoWeekOf, nextWeek, weekEnd, weekStart } from '../../../lambdas/base/domain/iso-week';
import { lineSnapshots } from '../../../lambdas/base/domain/snapshot-tables';
import {
  dueSnapshots,
  type InputFile,
  inputsOf,
  listFrom,
  type Manifest,
  selectionOf,
} from '../../../lambdas/serve/lake/snapshot/snapshot';

const file = (date: string, name: string): InputFile => ({
  key: `sale_lines/accepted_date=${date}/${name}`,
  versionId: '1',
  bytes: 1,
});
const keysOf = (...files: InputFile[]) => files.map(({ key }) => key);
const manifest = (snapshot: string, inputs: InputFile[] = [], cut = weekEnd(snapshot)): Manifest => ({
  snapshot,
  schemaVersion: 1,
  cut: cut.toISOString(),
  attempt: 'a',
  madeAt: '',
  tables: { sale_line_snapshots: { inputs }, sale_tender_snapshots: { inputs: [] } } as any,
});

describe('a week', () => {
  test.each([
    ['2026-11-28', '2026-W48'],
    ['2027-01-03', '2026-W53'],
    ['2027-01-04', '2027-W01'],
    ['2024-12-30', '2025-W01'],
    ['2021-01-03', '2020-W53'],
  ])('%s is in %s', (date, week) => {
    expect(isoWeekOf(new Date(date))).toBe(week);
  });

  test('holds the moments from its start to its end, and the next begins there', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1971-01-01'), max: new Date('2099-12-31'), noInvalidDate: true }),
        (time) => {
          const week = isoWeekOf(time);
          expect(weekStart(week) <= time && time < weekEnd(week)).toBe(true);
          expect(nextWeek(week) > week).toBe(true);
          expect(weekStart(nextWeek(week))).toEqual(weekEnd(week));
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  test.each(['2026-W54', '2025-W53', '2026-48', 'W48', ''])("'%s' is none", (week) => {
    expect(() => weekStart(week)).toThrow(`week '${week}' is not in the calendar: use YYYY-Www, for example 2026-W48`);
  });
});

describe('due are', () => {
  const now = new Date('2026-11-30T01:00:00Z');

  test('all weeks since the first date of the lake, or since the last snapshot, that have ended', () => {
    const due = dueSnapshots([], '2026-11-10', now, 0);

    expect(due.map(({ snapshot }) => snapshot)).toEqual(['2026-W46', '2026-W47', '2026-W48']);
    expect(due[0]!.cut).toEqual(new Date('2026-11-16T00:00:00Z'));
    expect(dueSnapshots([manifest('2026-W47')], undefined, now, 0)).toHaveLength(1);
    expect(dueSnapshots([], undefined, now, 0)).toEqual([]);
  });

  test('not yet those whose last rows may be on their way, unless asked for', () => {
    expect(dueSnapshots([manifest('2026-W47')], undefined, now, 6)).toEqual([]);
    expect(dueSnapshots([manifest('2026-W47')], undefined, now, 6, { week: '2026-W48' })).toHaveLength(1);
  });

  test('the current one when it is closed early, and only then', () => {
    const cut = '2026-11-30T00:30:00.000Z';
    const made = [manifest('2026-W48')];

    expect(dueSnapshots(made, undefined, now, 0, { cut })).toEqual([{ snapshot: '2026-W49', cut: new Date(cut) }]);
    expect(() => dueSnapshots(made, undefined, now, 0, { week: '2026-W49' })).toThrow(
      'week 2026-W49 ends at 2026-12-07',
    );
    expect(() => dueSnapshots(made, undefined, now, 0, { cut: '2026-11-29T00:00:00Z' })).toThrow(
      "cut '2026-11-29T00:00:00Z' is not in the current week: use a time from 2026-11-30T00:00:00.000Z to now",
    );
    expect(() => dueSnapshots([manifest('2026-W49')], undefined, now, 0, { cut })).toThrow('2026-W49 is there already');
  });
});

describe('a snapshot is made of', () => {
  const old = file('2026-11-15', 'old');
  const inWeek = file('2026-11-17', 'one');
  const made = [manifest('2026-W46', [old])];

  test('the files of its dates', () => {
    expect(inputsOf(lineSnapshots, keysOf(old, inWeek), made)).toEqual(keysOf(inWeek));
  });

  test('all files of an earlier date to which one has come since', () => {
    const all = keysOf(old, file('2026-11-15', 'late'), inWeek);

    expect(inputsOf(lineSnapshots, all, made)).toEqual(all);
  });

  test('the same date again when the week was closed within it', () => {
    const closedEarly = [manifest('2026-W47', [inWeek], new Date('2026-11-17T12:00:00Z'))];

    expect(inputsOf(lineSnapshots, keysOf(inWeek), closedEarly)).toEqual(keysOf(inWeek));
  });

  test('what is listed as far back as a file can be late, and looks back on cards for thirty days more', () => {
    const all = ['2026-W40', '2026-W41', '2026-W46'].map((week) => manifest(week));

    expect(listFrom(made, 32)).toBe('2026-10-15');
    expect(listFrom([], 32)).toBeUndefined();
    expect(selectionOf([inWeek, old], all, { snapshot: '2026-W47', cut: weekEnd('2026-W47') }, 'x')).toMatchObject({
      earlier: ['2026-W46'],
      history: ['2026-W46'],
      historyFrom: new Date('2026-10-16'),
    });
    expect(
      selectionOf([file('2026-11-01', 'x')], all, { snapshot: '2026-W47', cut: weekEnd('2026-W47') }, 'x').history,
    ).toEqual(['2026-W40', '2026-W41', '2026-W46']);
  });
});
