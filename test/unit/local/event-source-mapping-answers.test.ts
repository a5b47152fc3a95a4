import type { Entry } from '../../../local/lambda/mapping-batch';
import { outcome } from '../../../local/lambda/mapping-batch';

const entries = ['11', '12', '13'].map(
  (sequenceNumber): Entry => ({ sequenceNumber, arrival: 0, text: '', bytes: 0, done: false }),
);
const batch = { entries, attempts: 0, failures: 0 };
const items = (...identifiers: unknown[]) =>
  JSON.stringify({ batchItemFailures: identifiers.map((itemIdentifier) => ({ itemIdentifier })) });

test.each(['', '""', 'null', '{}', '{"batchItemFailures":[]}', '{"batchItemFailures":null}', '{"other":1}'])(
  'the answer %j is a success',
  (payload) => {
    expect(outcome({ payload }, batch, true)).toBe('success');
  },
);

test.each([
  items(''),
  items(null),
  items('14'),
  items('shardId-000000000000:12'),
  items('12', '14'),
  items(12),
  '{"batchItemFailures":[{"id":"12"}]}',
  '{"batchItemFailures":[null]}',
  '{"batchItemFailures":{}}',
  '[]',
  '1',
  'no JSON',
])('the answer %j fails the whole batch', (payload) => {
  expect(outcome({ payload }, batch, true)).toBe('failure');
});

test('an error fails the whole batch, whatever it holds', () => {
  expect(outcome({ payload: items(), functionError: 'Unhandled' }, batch, true)).toBe('failure');
});

test('the lowest reported record counts, in whatever order they are reported', () => {
  expect(outcome({ payload: items('13', '12') }, batch, true)).toEqual({ done: 1 });
  expect(outcome({ payload: items('13', '11') }, batch, true)).toEqual({ done: 0 });
});
