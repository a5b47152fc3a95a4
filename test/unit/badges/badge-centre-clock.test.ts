import { centreClock } from '../../../lambdas/base/domain/centre-clock';

const isPast = (timeZone: string, cutoff: string, at: string) =>
  centreClock(timeZone, cutoff, Date.parse(at))!.isPastCutoff;

describe('the cut-off', () => {
  test.each([
    // [zone, cut-off, instant, past]
    ['Europe/Berlin', '14:00', '2026-11-22T12:59:59.999Z', false],
    ['Europe/Berlin', '14:00', '2026-11-22T13:00:00.000Z', true],
    ['Europe/Berlin', '14:00:30', '2026-11-22T13:00:29.999Z', false],
    ['Europe/Berlin', '14:00:30', '2026-11-22T13:00:30.000Z', true],
    // 00:00 is the first moment of the day, 24:00 never comes.
    ['Europe/Berlin', '00:00', '2026-11-21T23:00:00.000Z', true],
    ['Europe/Berlin', '00:00', '2026-11-22T22:59:59.999Z', true],
    ['Europe/Berlin', '24:00', '2026-11-22T22:59:59.999Z', false],
    ['Europe/Berlin', '23:59', '2026-11-22T22:59:00.000Z', true],
    ['Europe/Berlin', '23:59', '2026-11-22T23:00:00.000Z', false],
    // Set forward from 02:00 to 03:00: half past two is never shown.
    ['Europe/Berlin', '02:30', '2026-03-29T00:59:59.999Z', false],
    ['Europe/Berlin', '02:30', '2026-03-29T01:00:00.000Z', true],
    // Set back from 03:00 to 02:00: half past two is shown twice, and closes the first time.
    ['Europe/Berlin', '02:30', '2026-10-25T00:29:59.999Z', false],
    ['Europe/Berlin', '02:30', '2026-10-25T00:30:00.000Z', true],
    ['Europe/Berlin', '02:30', '2026-10-25T01:10:00.000Z', true],
    ['Europe/Berlin', '03:00', '2026-10-25T01:10:00.000Z', false],
    ['America/New_York', '01:30', '2026-11-01T06:05:00.000Z', true],
    // Half an hour only.
    ['Australia/Lord_Howe', '01:45', '2026-04-04T15:05:00.000Z', true],
    ['Australia/Lord_Howe', '02:15', '2026-04-04T15:05:00.000Z', false],
    // Set back at midnight, to the day before.
    ['America/Sao_Paulo', '23:30', '2018-02-18T02:10:00.000Z', true],
    ['America/Sao_Paulo', '24:00', '2018-02-18T02:10:00.000Z', false],
    // Set forward at midnight: the day begins at one o'clock.
    ['America/Sao_Paulo', '00:30', '2018-11-04T03:00:00.000Z', true],
  ])('%s, %s, at %s: %s', (timeZone, cutoff, at, past) => {
    expect(isPast(timeZone, cutoff, at)).toBe(past);
  });

  test.each(['', '14', '14:60', '25:00', '24:01', '2pm', '-1:00'])('%j says nothing', (cutoff) => {
    expect(centreClock('Europe/Berlin', cutoff, 0)).toBeUndefined();
  });

  test('a zone that there is not says nothing', () => {
    expect(centreClock('Europe/Atlantis', '14:00', 0)).toBeUndefined();
    expect(centreClock('', '14:00', 0)).toBeUndefined();
  });
});

const zones = Intl.supportedValuesOf('timeZone');
const hour = 3_600_000;

describe('everywhere', () => {
  test('the day and the time are those of the place', () => {
    const instants = [
      '2026-01-01T00:00:00Z',
      '2026-03-08T09:59:59Z',
      '2026-03-29T01:00:00Z',
      '2026-06-30T12:34:56Z',
      '2026-10-25T00:59:59Z',
      '2026-11-02T05:30:00Z',
      '2026-12-31T23:59:59Z',
      '2028-02-29T11:00:00Z',
    ].map((text) => Date.parse(text));

    const strays: unknown[] = [];
    for (const timeZone of zones) {
      const swedish = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
      for (const at of instants) {
        const [day, time = ''] = swedish.format(at).split(' ');
        const next = time.replace(/\d\d$/, (second) => String(Number(second) + 1).padStart(2, '0'));
        const now = centreClock(timeZone, time, at)!;
        // At 59 seconds the next one is of another minute.
        const soon = next.endsWith('60') ? { day, isPastCutoff: false } : centreClock(timeZone, next, at)!;
        if (now.day !== day || !now.isPastCutoff || soon.day !== day || soon.isPastCutoff)
          strays.push({ timeZone, at, now, soon });
      }
    }

    expect(strays).toEqual([]);
  });

  test('a day that is closed stays closed, also where the clock is set back', () => {
    let setBack = 0;
    const strays: unknown[] = [];
    for (const timeZone of zones)
      for (const change of changesOf2026(timeZone)) {
        setBack++;
        for (let minutes = 0; minutes < 24 * 60; minutes += 45) {
          const cutoff = new Date(minutes * 60_000).toISOString().slice(11, 16);
          const closed = new Set<string>();
          for (let at = change - 3 * hour; at < change + 3 * hour; at += hour / 4) {
            const { day, isPastCutoff } = centreClock(timeZone, cutoff, at)!;
            if (isPastCutoff) closed.add(day);
            else if (closed.has(day)) strays.push({ timeZone, cutoff, at });
          }
        }
      }

    expect(strays).toEqual([]);
    expect(setBack).toBeGreaterThan(50);
  });
});

/** The hours of 2026 in which a zone's clock is set back. */
function changesOf2026(timeZone: string): number[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  const offset = (at: number) => Date.parse(`${format.format(at).replace(' ', 'T')}Z`) - at;
  const changes: number[] = [];
  const day = 24 * hour;
  for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 0, 1); at += day) {
    if (offset(at + day) >= offset(at)) continue;
    for (let time = at; time < at + day; time += hour)
      if (offset(time + hour) < offset(time)) changes.push(time + hour);
  }
  return changes;
}
