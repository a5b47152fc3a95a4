import fc from 'fast-check';
import { parseExpressions } from '../../../local/engines/dynamodb/dynalite';
import { expressions } from '../../../local/engines/dynamodb/expressions';

const value = fc.oneof(
  fc.string().map((text) => ({ S: text })),
  fc.integer().map((number) => ({ N: String(number) })),
);
const texts = [
  {
    UpdateExpression: 'SET a = :v, b.c = if_not_exists(#n, :w) ADD #m :n',
    ConditionExpression: 'a <> :v OR size(#n) > :n',
  },
  {
    UpdateExpression: 'SET a = a + :n, b = list_append(#n, :v) REMOVE #m[2], #n.x',
    ConditionExpression: 'NOT a IN (:v, :w)',
  },
  { UpdateExpression: 'SET #n = #m, a = :v', ConditionExpression: 'b BETWEEN :n AND :high AND contains(a, :w)' },
];
const names = { '#n': 'constructor', '#m': 'units' };

test('a text that was seen before is parsed as if it were new, whatever the values', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.array(fc.tuple(value, value, fc.nat()), { minLength: 2, maxLength: 4 }),
      (text, rounds) => {
        for (const [v, w, n] of rounds) {
          const all = { ':v': v, ':w': w, ':n': { N: String(n) }, ':high': { N: String(n + 1) } };
          const whole = `${text.UpdateExpression} ${text.ConditionExpression}`;
          const used = Object.fromEntries(Object.entries(all).filter(([name]) => new RegExp(`${name}\\b`).test(whole)));
          const input = { ...text, ExpressionAttributeNames: names, ExpressionAttributeValues: used };
          let expected: unknown;
          try {
            const fresh: any = structuredClone(input);
            if (!whole.includes('#m')) delete fresh.ExpressionAttributeNames['#m'];
            parseExpressions(fresh);
            expected = [fresh._updates, fresh._condition];
          } catch (error) {
            expected = (error as Error).message;
          }

          let got: unknown;
          try {
            const parsed = expressions(input, ['UpdateExpression', 'ConditionExpression']);
            got = [parsed._updates, parsed._condition];
          } catch (error) {
            got = (error as Error).message;
          }

          expect(JSON.stringify(got)).toBe(JSON.stringify(expected));
        }
      },
    ),
    { seed: 20261122, numRuns: 200 },
  );
});

test('what an evaluation writes into a parsed update does not show in the next', () => {
  const input = { UpdateExpression: 'SET a = b' };

  const first = expressions(input, ['UpdateExpression'])._updates;
  first.sections[0].val = { S: 'resolved' };
  const second = expressions(input, ['UpdateExpression'])._updates;
  second.sections[0].val = { S: 'resolved' };

  expect(expressions(input, ['UpdateExpression'])._updates.sections[0].val).toEqual(['b']);
});

test('a value of another type is checked again', () => {
  const add = (value: object) => () =>
    expressions({ UpdateExpression: 'ADD a :v', ExpressionAttributeValues: { ':v': value } }, ['UpdateExpression']);

  expect(add({ N: '1' })).not.toThrow();
  expect(add({ N: '2' })).not.toThrow();
  expect(add({ S: 'x' })).toThrow('Incorrect operand type');
  expect(add({ N: 'x' })).toThrow('numeric value');
});

test('bounds in the wrong order are refused, also after bounds in the right one', () => {
  const between = (from: string, to: string) => () =>
    expressions(
      { ConditionExpression: 'a BETWEEN :f AND :t', ExpressionAttributeValues: { ':f': { N: from }, ':t': { N: to } } },
      ['ConditionExpression'],
    );

  expect(between('1', '2')).not.toThrow();
  expect(between('2', '1')).toThrow('upper bound');
});
