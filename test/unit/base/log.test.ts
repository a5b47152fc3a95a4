import { countMetrics, log } from '../../../lambdas/base/runtime/log';

let lines: string[];
beforeEach(() => {
  lines = [];
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
});
afterEach(() => jest.restoreAllMocks());

test('a line is one JSON object, whatever it says', () => {
  log.warn('two\nlines', { sales: 3, source: 'é\u2028"', left: undefined });

  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[^\n]+\n$/);
  expect(JSON.parse(lines[0]!)).toEqual({ level: 'WARN', message: 'two\nlines', sales: 3, source: 'é\u2028"' });
});

test('each level says its name', () => {
  log.info('a');
  log.warn('b');
  log.error('c');

  expect(lines.map((line) => JSON.parse(line).level)).toEqual(['INFO', 'WARN', 'ERROR']);
});

test('counts are metrics of the function, zeros too', () => {
  countMetrics({ Held: 0, Counted: 7 });

  const entry = JSON.parse(lines[0]!);
  expect(entry).toMatchObject({ FunctionName: 'unknown', Held: 0, Counted: 7 });
  expect(entry._aws.CloudWatchMetrics).toEqual([
    {
      Namespace: 'Tillstream',
      Dimensions: [['FunctionName']],
      Metrics: [
        { Name: 'Held', Unit: 'Count' },
        { Name: 'Counted', Unit: 'Count' },
      ],
    },
  ]);
  expect(entry._aws.Timestamp).toBeGreaterThan(1.7e12);
  // The local run, and CloudWatch's agent, know a metric by how its line begins.
  expect(lines[0]!.startsWith('{"_aws"')).toBe(true);
});
