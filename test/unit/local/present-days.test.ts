import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PresentDays } from '../../../local/demonstration/present-days';
import { SalesMarks } from '../../../local/demonstration/sales-marks';

const now = Date.parse('2026-11-28T12:00:00.000Z');
const sale = (occurredAt: string, transactionId = 'T', source = 'pos-us') =>
  JSON.stringify({ source, transactionId, occurredAt, lines: [] });

describe('the days of the demonstration', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
    file = join(folder, 'sales.ndjson');
    writeFileSync(file, [sale('2017-01-15T11:00:00.000Z'), 'no JSON', sale('2017-01-16T12:00:00.000Z')].join('\n'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('end now, as far from each other as ever', async () => {
    const days = await PresentDays.of(file, folder, now);

    expect(days.move(sale('2017-01-16T12:00:00.000Z'))).toBe(sale('2026-11-28T12:00:00.000Z'));
    expect(days.move(sale('2017-01-15T11:00:00.000Z'))).toBe(sale('2026-11-27T11:00:00.000Z'));
  });

  test('stay where they are in a folder that is kept: a sale that comes again is the same sale', async () => {
    const before = await PresentDays.of(file, folder, now);
    const later = await PresentDays.of(file, folder, now + 86_400_000);

    expect(later.move(sale('2017-01-16T12:00:00.000Z'))).toBe(before.move(sale('2017-01-16T12:00:00.000Z')));
  });

  test.each(['no JSON', '{"source":"pos-us"}', '{"occurredAt":"yesterday"}', '[1]', 'null'])(
    'what has no time is left as it is: %s',
    async (line) => {
      expect((await PresentDays.of(file, folder, now)).move(line)).toBe(line);
    },
  );
});

describe('marks of completeness', () => {
  const times = ['2026-11-28T10:00:00.000Z', '2026-11-28T10:01:00.000Z', '2026-11-28T10:02:00.000Z'] as const;
  const [first, second, third] = times.map((time, index) => sale(time, `T-${index}`)) as [string, string, string];
  let marks: SalesMarks;
  beforeEach(() => {
    marks = new SalesMarks({
      completeThroughUrl: 'http://127.0.0.1:1/v1/sales/complete-through',
      aws: { endpoint: '', region: 'eu-west-1', accessKeyId: 'a', secretAccessKey: 'b' },
    });
    for (const line of [first, second, third]) marks.sent(line);
  });

  test('nothing is said before anything is answered', () => {
    expect(marks.marks(now)).toEqual([]);
  });

  test('what is answered counts up to the first sale that is not', () => {
    marks.answered([second]);
    expect(marks.marks(now)).toEqual([]);
    marks.answered([first]);
    expect(marks.marks(now)).toEqual([{ source: 'pos-us', completeThrough: times[1] }]);
  });

  test('a line that is sent twice is open until it is answered twice', () => {
    marks.sent(third);
    marks.answered([first, second, third]);
    marks.over();
    expect(marks.marks(now)).toEqual([{ source: 'pos-us', completeThrough: times[2] }]);
    marks.answered([third]);
    expect(marks.marks(now)).toEqual([{ source: 'pos-us', completeThrough: '2026-11-28T12:00:00.000Z' }]);
  });

  test('every source says it, and a line without source or time says nothing', () => {
    const web = sale(times[2], 'W', 'web-us');
    for (const line of [web, '{"occurredAt":"yesterday"}', `{"occurredAt":"${times[0]}"}`]) marks.sent(line);
    marks.answered([first, second, third, web]);
    expect(marks.marks(now).map(({ source }) => source)).toEqual(['pos-us', 'web-us']);
  });

  test('once all is sent and answered nothing is sold: complete up to now', () => {
    marks.answered([first, second]);
    marks.over();
    expect(marks.marks(now)).toEqual([{ source: 'pos-us', completeThrough: times[1] }]);
    marks.answered([third]);
    expect(marks.marks(now)).toEqual([{ source: 'pos-us', completeThrough: '2026-11-28T12:00:00.000Z' }]);
  });
});
