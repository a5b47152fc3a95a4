import { dayOf, instantOf } from '../../../lambdas/serve/finance/settlement/report-time';

test.each([
  ['2026-11-22 10:15:30', 'UTC', '2026-11-22T10:15:30.000Z'],
  ['2026-11-22T10:15:30', 'CET', '2026-11-22T09:15:30.000Z'],
  ['2026-07-01 00:30:00', 'CEST', '2026-06-30T22:30:00.000Z'],
  ['2026-07-01 00:30', 'PDT', '2026-07-01T07:30:00.000Z'],
  ['2026-07-01', 'America/Chicago', '2026-07-01T05:00:00.000Z'],
  ['2026-11-22 10:15:30.250', '+05:30', '2026-11-22T04:45:30.250Z'],
  ['2026-11-22 10:15:30', 'UTC-0800', '2026-11-22T18:15:30.000Z'],
  // The clocks show half past two twice on that day.
  ['2026-10-25 02:30:00', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
  ['2026-10-25 03:30:00', 'Europe/Berlin', '2026-10-25T02:30:00.000Z'],
  ['2026-03-29 03:00:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
])('%s %s was %s', (text, zone, instant) => {
  expect(instantOf(text, zone)?.toISOString()).toBe(instant);
});

test.each([
  ['22.11.2026 10:15:30', 'UTC'],
  ['2026-02-30 10:15:30', 'UTC'],
  ['2026-11-22 24:00:00', 'UTC'],
  ['2026-11-22 10:61:00', 'UTC'],
  ['2026-11-22 10:15:30', 'XYZ'],
  ['2026-11-22 10:15:30', 'Mars/Olympus'],
  ['2026-11-22 10:15:30', ''],
  ['2026-03-29 02:30:00', 'Europe/Berlin'],
])('%s %s says no time', (text, zone) => {
  expect(instantOf(text, zone)).toBeUndefined();
});

test('a day is taken from a time, and only where it is in the calendar', () => {
  expect(dayOf('2026-11-22')).toBe('2026-11-22');
  expect(dayOf('2026-11-22 23:59:59')).toBe('2026-11-22');
  expect(dayOf('2026-11-31')).toBeUndefined();
  expect(dayOf('')).toBeUndefined();
});
