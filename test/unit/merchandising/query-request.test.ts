import { readQuestion, startOfDay, weekBefore } from '../../../lambdas/serve/merchandising/query/request';

const now = Date.parse('2026-11-28T10:15:30Z');
const question = (kind: 'totals' | 'groups' | 'series', query: Record<string, string[]> = {}) =>
  readQuestion(kind, query, now);
const iso = (time: number) => new Date(time).toISOString();

test('asked for nothing in particular, it is today, up to the minute that has begun', () => {
  expect(question('totals')).toMatchObject({
    from: Date.parse('2026-11-28T00:00Z'),
    to: Date.parse('2026-11-28T10:16Z'),
    compare: false,
  });
  expect(question('totals', { timeZone: ['Asia/Tokyo'] })).toMatchObject({ from: Date.parse('2026-11-27T15:00Z') });
});

test('times are taken to whole minutes, outwards', () => {
  expect(question('totals', { from: ['2026-11-22T10:15:30.5+01:00'], to: ['2026-11-22T11:00:01Z'] })).toMatchObject({
    from: Date.parse('2026-11-22T09:15Z'),
    to: Date.parse('2026-11-22T11:01Z'),
  });
});

test.each([
  [{ form: ['x'] }, "got 'form', allowed: from, to"],
  [{ from: ['yesterday'] }, "from: got 'yesterday', allowed: a time with its zone"],
  [{ from: ['2026-11-22T10:15'] }, 'allowed: a time with its zone'],
  [{ from: ['2026-11-28T11:00Z'] }, 'not before to'],
  [{ from: ['2024-01-01T00:00Z'] }, 'at most 400'],
  [{ from: ['2026-11-22T00:00Z', '2026-11-23T00:00Z'] }, 'from: got it twice'],
  [{ by: ['colour'] }, "by: got 'colour', allowed: region, channel, location, category, item"],
  [{}, 'by: got none'],
  [{ by: ['region'], limit: ['0'] }, "limit: got '0', allowed: 1 to 5000"],
  [{ by: ['item'], limit: ['501'] }, 'allowed: 1 to 500'],
  [{ by: ['region'], region: [''] }, 'region: got 0 characters'],
  [{ by: ['region'], region: Array.from({ length: 51 }, String) }, 'region: got 51 values, allowed: at most 50'],
  [{ by: ['region'], category: ['a', 'b'] }, 'a basket with two would count twice'],
  [{ by: ['item'], location: ['store-1'] }, 'location: got it beside item'],
  [{ by: ['region'], timeZone: ['Mars/Base'] }, "timeZone: got 'Mars/Base'"],
  [{ by: ['region'], compare: ['last-year'] }, 'allowed: last-week, none'],
])('%j is refused: %s', (query, message) => {
  expect(question('groups', query as Record<string, string[]>)).toMatchObject({
    message: expect.stringContaining(message),
  });
});

test('a question has no more windows than a chart can show', () => {
  expect(question('series', { from: ['2026-11-01T00:00Z'], every: ['1m'] })).toMatchObject({ code: 'too-many' });
  expect(question('series', { from: ['2026-11-01T00:00Z'], every: ['1h'] })).toMatchObject({ everyMinutes: 60 });
});

test('a day begins, and a week ago was, by the clock of the place', () => {
  // Clocks in Berlin went back on 2026-10-25, in New York on 2026-11-01.
  expect(iso(startOfDay(Date.parse('2026-10-25T12:00Z'), 'Europe/Berlin'))).toBe('2026-10-24T22:00:00.000Z');
  expect(iso(startOfDay(Date.parse('2026-10-26T12:00Z'), 'Europe/Berlin'))).toBe('2026-10-25T23:00:00.000Z');
  expect(iso(weekBefore(Date.parse('2026-11-03T15:00Z'), 'America/New_York'))).toBe('2026-10-27T14:00:00.000Z');
  expect(iso(weekBefore(Date.parse('2026-11-20T15:00Z'), 'America/New_York'))).toBe('2026-11-13T15:00:00.000Z');
});
