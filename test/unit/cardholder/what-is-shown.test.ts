import { newCardToken } from '../../../lambdas/cardholder/card-token';
import { describeFailure } from '../../../lambdas/cardholder/failure';
import { answerOf, type Result, retry } from '../../../lambdas/cardholder/ingest/answer';
import { TokenCache } from '../../../lambdas/cardholder/ingest/token-cache';
import { shown, shownText } from '../../../lambdas/cardholder/ingest/wording';
import { isSecurityField, removeSecurityData } from '../../../lambdas/cardholder/security-data';
import { testCards } from './test-sales';

test.each([
  [undefined, 'nothing'],
  [null, 'null'],
  ['abc', "'abc'"],
  ['x'.repeat(50), `'${'x'.repeat(37)}...'`],
  [1.5, '1.5'],
  [true, 'true'],
  [[1, 2], '2 items'],
  [{ a: 1 }, 'an object'],
  [`a ${testCards.visa}`, "'a ****************'"],
  ['line\nbreak\u0000', "'line break '"],
])('a message shows %j as %s', (value, text) => {
  expect(shown(value)).toBe(text);
});

test('a transaction id is shown as it is', () => {
  expect(shownText('S042-T3-20261122-000917', 64)).toBe('S042-T3-20261122-000917');
});

test('a failure tells its name and place, not its message, which may quote its input', () => {
  let failure: unknown;
  try {
    JSON.parse(`{"number": ${testCards.visa} x`);
  } catch (error) {
    failure = error;
  }

  const told = describeFailure(failure);

  expect(told).toMatchObject({ error: 'SyntaxError', at: expect.stringContaining('what-is-shown.test.ts') });
  expect(JSON.stringify(told)).not.toContain(testCards.visa);
});

test('a missing permission is told in words, since they name role, action and resource only', () => {
  const error = Object.assign(
    new Error('User: role is not authorized to perform: dynamodb:GetItem on resource: vault'),
    {
      name: 'AccessDeniedException',
    },
  );

  expect(describeFailure(error).detail).toContain('not authorized to perform: dynamodb:GetItem');
});

test.each([
  'cvv',
  'CVV2',
  'card_cvc',
  'cardSecurityCode',
  'CID',
  'track1',
  'Track-2-Data',
  'magStripe',
  'PIN',
  'pin_block',
  'emvTags',
  'de55',
])('%s is the name of a field with security data', (name) => {
  expect(isSecurityField(name)).toBe(true);
});

test.each(['trackingNumber', 'spinach', 'cashier', 'code', 'receipt', 'emphasis', 'shippingCode', 'soundtrack'])(
  '%s is not',
  (name) => {
    expect(isSecurityField(name)).toBe(false);
  },
);

test.each(['order=1234567 of 12', 'meet at 10^6 stars', 'the pin is broken', 'see 4111=12'])(
  '%s holds no security data',
  (text) => {
    expect(removeSecurityData(text)).toEqual({ text, removed: 0 });
  },
);

describe('the answer to a request', () => {
  const accepted: Result = { status: 'accepted', warnings: [] };
  const rejected: Result = { status: 'rejected', code: 'invalid', message: 'x', warnings: [] };
  const full: Result = { ...retry('stream-throttled'), warnings: [] };
  const down: Result = { ...retry('vault-unavailable'), warnings: [] };

  test.each<[string, Result[], number, string | undefined]>([
    ['all accepted', [accepted, accepted], 202, undefined],
    ['all rejected', [rejected, rejected], 207, undefined],
    ['a mix', [accepted, rejected, down], 207, '5'],
    ['all to retry, the stream being full', [full, full], 429, '1'],
    ['all to retry for other reasons', [full, down], 503, '5'],
    ['some to retry, the others rejected', [full, rejected], 207, '1'],
  ])('%s', (_, results, statusCode, retryAfter) => {
    const answer = answerOf(results);

    expect(answer.statusCode).toBe(statusCode);
    expect(answer.headers?.['Retry-After']).toBe(retryAfter);
  });
});

test('the cache forgets the card that was used longest ago', () => {
  const cache = new TokenCache(2);
  const [one, two, three] = [newCardToken(), newCardToken(), newCardToken()];
  cache.set('1', one);
  cache.set('2', two);
  cache.get('1');

  cache.set('3', three);

  expect(['1', '2', '3'].map((pk) => cache.get(pk))).toEqual([one, undefined, three]);
});
