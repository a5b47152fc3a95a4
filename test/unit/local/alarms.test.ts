import { Alarms, type DeclaredAlarm } from '../../../local/alarms';

let now: number;
let alarms: Alarms;
beforeEach(() => {
  now = 1_000_000;
  alarms = new Alarms(() => now);
});

const alarm = (change: Partial<DeclaredAlarm> = {}): DeclaredAlarm => ({
  name: 'DedupHeld',
  description: 'Impact: sales are late.',
  namespace: 'Tillstream',
  metricName: 'Held',
  dimensions: { FunctionName: 'dedup' },
  statistic: 'Sum',
  threshold: 2,
  comparison: 'GreaterThanThreshold',
  ...change,
});
const record = (value: number, change: { metricName?: string; functionName?: string } = {}) =>
  alarms.record('Tillstream', change.metricName ?? 'Held', { FunctionName: change.functionName ?? 'dedup' }, value);
const ringing = () => alarms.ringing().map(({ name }) => name);
const line = (counts: Record<string, number>, functionName = 'dedup') =>
  JSON.stringify({
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: 'Tillstream',
          Dimensions: [['FunctionName']],
          Metrics: Object.keys(counts).map((Name) => ({ Name, Unit: 'Count' })),
        },
      ],
    },
    FunctionName: functionName,
    ...counts,
  });

test('nothing counted is nothing wrong', () => {
  alarms.declare(alarm());

  expect(ringing()).toEqual([]);
});

test('it rings above its threshold, not at it', () => {
  alarms.declare(alarm());
  record(2);
  expect(ringing()).toEqual([]);

  record(1);

  expect(ringing()).toEqual(['DedupHeld']);
});

test('it stops ringing after a minute', () => {
  alarms.declare(alarm());
  record(3);
  now += 60_000;
  expect(ringing()).toEqual(['DedupHeld']);

  now += 1;

  expect(ringing()).toEqual([]);
});

test.each([
  ['Sum', 9],
  ['Maximum', 5],
  ['Average', 3],
])('the %s of 1, 3 and 5 is compared', (statistic, value) => {
  alarms.declare(alarm({ name: 'below', statistic, threshold: value - 1 }));
  alarms.declare(alarm({ name: 'at', statistic, threshold: value }));
  for (const each of [1, 3, 5]) record(each);

  expect(ringing()).toEqual(['below']);
});

test('a metric of another name, function or namespace is another', () => {
  alarms.declare(alarm());
  record(9, { metricName: 'Counted' });
  record(9, { functionName: 'writer' });
  alarms.record('AWS/Lambda', 'Held', { FunctionName: 'dedup' }, 9);
  alarms.record('Tillstream', 'Held', {}, 9);

  expect(ringing()).toEqual([]);
});

test('the order of dimensions does not matter', () => {
  alarms.declare(alarm({ dimensions: { A: '1', B: '2' } }));
  alarms.record('Tillstream', 'Held', { B: '2', A: '1' }, 9);

  expect(ringing()).toEqual(['DedupHeld']);
});

test('what a function counts in its log is counted', () => {
  alarms.declare(alarm());
  alarms.recordLine(line({ Held: 3, Counted: 100 }));

  expect(ringing()).toEqual(['DedupHeld']);
});

test.each([
  'plain text',
  '',
  '{"level":"INFO","message":"_aws"}',
  line({ Held: 3 }).slice(0, 80),
  '{"_aws":{}}',
  '{"_aws":null}',
])('a line that is no metric is passed over: %s', (text) => {
  alarms.declare(alarm());

  alarms.recordLine(text);

  expect(ringing()).toEqual([]);
});

test.each([
  [{ comparison: 'LessThanThreshold' }, 'alarm DedupHeld: comparison LessThanThreshold is not modelled locally'],
  [{ statistic: 'p99' }, 'alarm DedupHeld: statistic p99 is not modelled locally'],
  [{ statistic: 'toString' }, 'alarm DedupHeld: statistic toString is not modelled locally'],
])('an alarm that could not ring is refused: %j', (change, message) => {
  expect(() => alarms.declare(alarm(change))).toThrow(message);
});

test('a long run with nobody looking ends in the right answer all the same', () => {
  alarms.declare(alarm({ statistic: 'Maximum' }));
  record(9);
  for (let second = 0; second < 300_000; second++) {
    now += 1;
    record(1);
  }

  expect(ringing()).toEqual([]);
});
