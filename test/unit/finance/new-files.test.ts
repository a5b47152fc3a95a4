import fc from 'fast-check';
import {
  type LakeFile,
  lagMinutes,
  lakeFileOf,
  listFrom,
  loadsOf,
  maximumBytes,
  maximumFiles,
  newFiles,
} from '../../../lambdas/serve/finance/load/new-files';

const aFile = (change: Partial<LakeFile> = {}): LakeFile => ({
  key: 'sale_lines/accepted_date=2026-11-22/a.parquet',
  table: 'sale_lines',
  acceptedDate: '2026-11-22',
  bytes: 1_000,
  writtenAt: new Date('2026-11-22T10:00:00Z'),
  ...change,
});

test('an object of a table is a file with its date', () => {
  const file = lakeFileOf({ Key: 'sale_tenders/accepted_date=2026-11-22/a-1-2026-11-22-10-00-00-b.parquet', Size: 7 });

  expect(file).toMatchObject({ table: 'sale_tenders', acceptedDate: '2026-11-22', bytes: 7 });
});

test.each([
  'errors/sale_lines/format-conversion-failed/2026-11-22/a',
  'sale_lines/accepted_date=2026-11-22/',
  'sale_lines/accepted_date=unknown/a.parquet',
  'sale_lines/accepted_date=2026-11-22/nested/a.parquet',
  "sale_lines/accepted_date=2026-11-22/quote'.parquet",
  'training_sales/accepted_date=2026-11-22/a.parquet',
])('%s is no file of the ledger', (Key) => {
  expect(lakeFileOf({ Key, Size: 7 })).toBeUndefined();
});

test('an empty object is no file', () => {
  expect(lakeFileOf({ Key: aFile().key, Size: 0 })).toBeUndefined();
});

test('the first load lists all of the lake, later ones go back from the newest date in the ledger', () => {
  expect(listFrom(undefined, 41)).toBeUndefined();
  expect(listFrom(null, 41)).toBeUndefined();
  expect(listFrom('2026-11-22', 41)).toBe('2026-10-12');
  expect(listFrom('2026-03-01', 1)).toBe('2026-02-28');
});

test('files are loaded in the order of their dates, both tables together, and none again', () => {
  const files = [
    aFile({ key: 'sale_tenders/accepted_date=2026-11-21/t', table: 'sale_tenders', acceptedDate: '2026-11-21' }),
    aFile({ key: 'sale_lines/accepted_date=2026-11-22/b' }),
    aFile({ key: 'sale_lines/accepted_date=2026-11-22/a' }),
    aFile({ key: 'sale_lines/accepted_date=2026-11-21/l', acceptedDate: '2026-11-21' }),
  ];

  const waiting = newFiles(files, new Set(['sale_lines/accepted_date=2026-11-22/a']));

  expect(waiting.map(({ key }) => key)).toEqual([
    'sale_lines/accepted_date=2026-11-21/l',
    'sale_tenders/accepted_date=2026-11-21/t',
    'sale_lines/accepted_date=2026-11-22/b',
  ]);
});

test('loads keep their limits, in order, and every file is in one', () => {
  const sizes = fc.array(fc.oneof(fc.nat(1_000), fc.integer({ min: maximumBytes / 4, max: 2 * maximumBytes })), {
    maxLength: 600,
  });
  fc.assert(
    fc.property(sizes, (bytes) => {
      const files = bytes.map((size, index) => aFile({ key: String(index), bytes: size }));

      const loads = loadsOf(files);

      expect(loads.flat()).toEqual(files);
      for (const load of loads) {
        expect(load.length).toBeGreaterThan(0);
        expect(load.length).toBeLessThanOrEqual(maximumFiles);
        const sum = load.reduce((total, file) => total + file.bytes, 0);
        expect(load.length === 1 || sum <= maximumBytes).toBe(true);
      }
    }),
  );
});

/**
 * The promise of `listFrom`, tried on random histories: every file is loaded in the end if it appears within the delay,
 * however seldom and in however small steps the loader runs.
 */
test('no file that appears within the look-back is ever passed over', () => {
  const delay = 5;
  const dayOf = (day: number) => new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10);
  const history = fc.record({
    files: fc.array(fc.record({ date: fc.nat(60), delay: fc.nat(delay) }), { maxLength: 60 }),
    runs: fc.array(fc.record({ day: fc.nat(70), files: fc.integer({ min: 1, max: 6 }) }), { maxLength: 20 }),
  });
  fc.assert(
    fc.property(history, ({ files, runs }) => {
      const lake = files.map(({ date, delay: late }, index) => ({
        appears: date + late,
        file: aFile({ key: `sale_lines/accepted_date=${dayOf(date)}/${index}`, acceptedDate: dayOf(date) }),
      }));
      const loaded = new Map<string, string>();
      const run = (day: number, count: number) => {
        const newest = [...loaded.values()].sort().at(-1);
        const from = listFrom(newest, delay) ?? '';
        const listed = lake.filter(({ appears, file }) => appears <= day && file.acceptedDate >= from);
        const waiting = newFiles(
          listed.map(({ file }) => file),
          new Set(loaded.keys()),
        );
        for (const { key, acceptedDate } of waiting.slice(0, count)) loaded.set(key, acceptedDate);
      };

      for (const { day, files: count } of runs.sort((a, b) => a.day - b.day)) run(day, count);
      run(100, files.length);

      expect(loaded.size).toBe(lake.length);
    }),
    { numRuns: 500 },
  );
});

test('the lag is the age of the oldest file that waits', () => {
  const now = new Date('2026-11-22T12:30:00Z');
  const waiting = [aFile({ writtenAt: new Date('2026-11-22T12:00:00Z') }), aFile(), aFile({ writtenAt: undefined })];

  expect(lagMinutes(waiting, now)).toBe(150);
  expect(lagMinutes([], now)).toBe(0);
});
