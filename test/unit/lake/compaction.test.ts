import { compactedBefore, datesOf, dueDates, fingerprintOf } from '../../../lambdas/serve/lake/compact/compaction';

const key = (date: string, name = 'a') => `${date}/${name}`;
const dateOf = (one: string) => one.split('/')[0]!;
const mark = (date: string, ...names: string[]) => `${date}/${fingerprintOf(names.map((name) => key(date, name)))}`;

test('a date is compacted while its files are those that were compacted, in any order', () => {
  const keys = [key('2026-03-02', 'b'), key('2026-03-01'), key('2026-03-02', 'a')];

  const dates = datesOf(keys, [mark('2026-03-01', 'a'), mark('2026-03-02', 'a', 'b')], dateOf);
  const late = datesOf(
    [...keys, key('2026-03-01', 'late')],
    [mark('2026-03-01', 'a'), mark('2026-03-02', 'a', 'b')],
    dateOf,
  );

  expect(dates.map(({ date, isCompacted }) => [date, isCompacted])).toEqual([
    ['2026-03-01', true],
    ['2026-03-02', true],
  ]);
  expect(late.map(({ isCompacted }) => isCompacted)).toEqual([false, true]);
});

test('due are the dates under which no file can come any more', () => {
  const dates = datesOf(
    ['2026-03-01', '2026-03-02', '2026-03-03'].map((date) => key(date)),
    [mark('2026-03-01', 'a')],
    dateOf,
  );

  expect(dueDates(dates, '2026-04-04', 32).map(({ date }) => date)).toEqual(['2026-03-02']);
});

test('views read compacted files up to the first date that is not compacted', () => {
  const keys = ['2026-03-01', '2026-03-02', '2026-03-04'].map((date) => key(date));
  const before = (...marked: string[]) =>
    compactedBefore(
      datesOf(
        keys,
        marked.map((date) => mark(date, 'a')),
        dateOf,
      ),
    );

  expect(before()).toBeUndefined();
  expect(before('2026-03-01')).toBe('2026-03-02');
  expect(before('2026-03-01', '2026-03-02')).toBe('2026-03-04');
  expect(before('2026-03-02', '2026-03-04')).toBeUndefined();
  expect(before('2026-03-01', '2026-03-02', '2026-03-04')).toBe('2026-03-05');
  expect(compactedBefore([])).toBeUndefined();
});
