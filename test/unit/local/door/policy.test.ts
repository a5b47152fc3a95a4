import { array, assert, constantFrom, property } from 'fast-check';
import type { ConditionValues } from '../../../../local/door/conditions';
import { IdentityPolicies, type PolicyStatement } from '../../../../local/door/policy';
import { arnMatcher, wildcard } from '../../../../local/door/wildcard';
import { allow, policy } from './test-door';

const table = 'arn:aws:dynamodb:eu-west-1:000000000000:table/claims';

function decide(
  statements: readonly PolicyStatement[],
  action: string,
  resource: string,
  values: Record<string, any> = {},
) {
  const read: ConditionValues = (key) => values[key];
  return new IdentityPolicies([policy(...statements)]).decide(action, resource, read);
}

/** Whether a statement with this condition applies to a request with these values. */
function holds(condition: PolicyStatement['Condition'], values: Record<string, any> = {}): boolean {
  const statement = { ...allow('kms:Decrypt', '*'), Condition: condition! };
  return decide([statement], 'kms:Decrypt', table, values) === 'allowed';
}

/** The plainest matcher there is: slow, and right by its shape. */
function matchesPlainly(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const [first, rest] = [pattern[0], pattern.slice(1)];
  if (first === '*') return matchesPlainly(rest, text) || (text !== '' && matchesPlainly(pattern, text.slice(1)));
  return text !== '' && (first === '?' || first === text[0]) && matchesPlainly(rest, text.slice(1));
}

const pieces = (...letters: string[]) => array(constantFrom(...letters), { maxLength: 8 }).map((all) => all.join(''));

test('wildcards match what the plainest matcher matches', () => {
  assert(
    property(pieces('a', 'b', '.', '(', '*', '?', ':'), pieces('a', 'b', '.', '(', ':', '\n'), (pattern, text) => {
      expect(wildcard(pattern)(text)).toBe(matchesPlainly(pattern, text));
    }),
    { numRuns: 2000, seed: 11 },
  );
});

test('wildcards of ARN conditions stay within their part of the ARN', () => {
  const matches = arnMatcher('arn:aws:dynamodb:*:000000000000:table/*');

  expect(matches(table)).toBe(true);
  expect(matches('arn:aws:dynamodb:eu-west-1:000000000000:table/a:b')).toBe(true);
  expect(matches('arn:aws:dynamodb:eu-west-1:111111111111:table/claims')).toBe(false);
  expect(arnMatcher('arn:aws:*:*:table/claims:x')('arn:aws:dynamodb:eu-west-1:000000000000:table/claims:x')).toBe(
    false,
  );
});

test('nothing is allowed that no statement allows', () => {
  expect(decide([], 'dynamodb:GetItem', table)).toBe('not allowed');
  expect(decide([allow('dynamodb:GetItem', table)], 'dynamodb:GetItem', table)).toBe('allowed');
  expect(decide([allow('dynamodb:GetItem', table)], 'dynamodb:PutItem', table)).toBe('not allowed');
  expect(decide([allow('dynamodb:GetItem', table)], 'dynamodb:GetItem', `${table}-2`)).toBe('not allowed');
});

test('an explicit deny wins over every allow', () => {
  const deny: PolicyStatement = { Effect: 'Deny', Action: 'dynamodb:Delete*', Resource: '*' };

  expect(decide([allow('*', '*'), deny], 'dynamodb:DeleteItem', table)).toBe('denied explicitly');
  expect(decide([deny, allow('*', '*')], 'dynamodb:PutItem', table)).toBe('allowed');
});

test('actions are compared without regard to case, resources with it', () => {
  expect(decide([allow('DynamoDB:getITEM', table)], 'dynamodb:GetItem', table)).toBe('allowed');
  expect(decide([allow('dynamodb:GetItem', table.toUpperCase())], 'dynamodb:GetItem', table)).toBe('not allowed');
});

test('NotAction and NotResource apply to everything else', () => {
  const notAction: PolicyStatement = { Effect: 'Allow', NotAction: ['dynamodb:Scan', 'kms:*'], Resource: '*' };
  const notResource: PolicyStatement = { Effect: 'Deny', Action: '*', NotResource: table };

  expect(decide([notAction], 'dynamodb:GetItem', table)).toBe('allowed');
  expect(decide([notAction], 'kms:Decrypt', table)).toBe('not allowed');
  expect(decide([allow('*', '*'), notResource], 'dynamodb:GetItem', table)).toBe('allowed');
  expect(decide([allow('*', '*'), notResource], 'dynamodb:GetItem', `${table}-2`)).toBe('denied explicitly');
});

test('string conditions compare with any of the values', () => {
  const key = 'kms:EncryptionContext:purpose';
  const values = { 'kms:encryptioncontext:purpose': 'index' };

  expect(holds({ StringEquals: { [key]: ['data', 'index'] } }, values)).toBe(true);
  expect(holds({ StringEquals: { [key]: 'Index' } }, values)).toBe(false);
  expect(holds({ StringEqualsIgnoreCase: { [key]: 'Index' } }, values)).toBe(true);
  expect(holds({ StringNotEquals: { [key]: ['data', 'index'] } }, values)).toBe(false);
  expect(holds({ StringNotEquals: { [key]: 'data' } }, values)).toBe(true);
  expect(holds({ StringLike: { [key]: 'in*' } }, values)).toBe(true);
  expect(holds({ StringNotLike: { [key]: 'in*' } }, values)).toBe(false);
});

test('a missing key fails a comparison, satisfies its negation, and is forgiven by IfExists', () => {
  expect(holds({ StringEquals: { 'kms:ViaService': 'x' } })).toBe(false);
  expect(holds({ StringNotEquals: { 'kms:ViaService': 'x' } })).toBe(true);
  expect(holds({ StringEqualsIfExists: { 'kms:ViaService': 'x' } })).toBe(true);
  expect(holds({ StringEqualsIfExists: { 'kms:ViaService': 'x' } }, { 'kms:viaservice': 'y' })).toBe(false);
  expect(holds({ Null: { 'kms:ViaService': 'true' } })).toBe(true);
  expect(holds({ Null: { 'kms:ViaService': 'false' } })).toBe(false);
  expect(holds({ Null: { 'kms:ViaService': 'false' } }, { 'kms:viaservice': 'x' })).toBe(true);
});

test('set operators look at all values or at any of them', () => {
  const keys = (...values: string[]) => ({ 'dynamodb:leadingkeys': values });
  const all = { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['a', 'b'] } };
  const any = { 'ForAnyValue:StringEquals': { 'dynamodb:LeadingKeys': ['a', 'b'] } };

  expect([holds(all, keys('a', 'b')), holds(all, keys('a', 'c')), holds(all)]).toEqual([true, false, true]);
  expect([holds(any, keys('a', 'c')), holds(any, keys('c')), holds(any)]).toEqual([true, false, false]);
  expect(() => holds({ StringEquals: { 'dynamodb:LeadingKeys': 'a' } }, keys('a', 'b'))).toThrow(/use ForAllValues/);
});

test('booleans, numbers and ARNs are compared as what they are', () => {
  const values = { 'aws:securetransport': 'true', 's3:prefix': '10', 'aws:principalarn': table };

  expect(holds({ Bool: { 'aws:SecureTransport': 'True' } }, values)).toBe(true);
  expect(holds({ Bool: { 'aws:SecureTransport': false } }, values)).toBe(false);
  expect(holds({ NumericLessThan: { 's3:prefix': '9' } }, values)).toBe(false);
  expect(holds({ NumericGreaterThanEquals: { 's3:prefix': 10 } }, values)).toBe(true);
  expect(holds({ ArnLike: { 'aws:PrincipalArn': 'arn:aws:dynamodb:*:*:table/*' } }, values)).toBe(true);
  expect(holds({ ArnNotEquals: { 'aws:PrincipalArn': table } }, values)).toBe(false);
});

test('every operator and every key of a condition must hold', () => {
  const values = { 'kms:viaservice': 'a', 's3:prefix': 'b' };

  expect(holds({ StringEquals: { 'kms:ViaService': 'a', 's3:prefix': 'b' } }, values)).toBe(true);
  expect(holds({ StringEquals: { 'kms:ViaService': 'a', 's3:prefix': 'x' } }, values)).toBe(false);
  expect(holds({ StringEquals: { 'kms:ViaService': 'a' }, StringLike: { 's3:prefix': 'x' } }, values)).toBe(false);
});

test('a conditional deny is asked each time, beside an allow that is remembered', () => {
  const deny = { ...allow('*', '*'), Effect: 'Deny', Condition: { StringEquals: { 's3:prefix': 'secret' } } };
  const policies = new IdentityPolicies([policy(allow('s3:ListBucket', '*'), deny)]);
  const ask = (prefix: string) => policies.decide('s3:ListBucket', 'arn:aws:s3:::lake', () => prefix);

  expect(['public', 'secret', 'public'].map(ask)).toEqual(['allowed', 'denied explicitly', 'allowed']);
});

test('what is not modelled is refused, not guessed', () => {
  const compile = (statement: PolicyStatement) => () => new IdentityPolicies([policy(statement)]);
  const condition = (Condition: PolicyStatement['Condition']) => ({ ...allow('*', '*'), Condition: Condition! });

  expect(compile(condition({ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }))).toThrow(
    /operator 'IpAddress' is not modelled/,
  );
  expect(compile(condition({ StringLike: { 's3:prefix': `\${aws:username}/*` } }))).toThrow(/policy variables/);
  expect(compile(allow('*', `arn:aws:s3:::home/\${aws:username}`))).toThrow(/policy variables/);
  expect(compile(allow('*', 'arn:aws:dynamodb:eu-*-1:000000000000:table/x'))).toThrow(/wildcard inside an ARN part/);
  expect(compile(allow('*', 'claims'))).toThrow(/is not an ARN/);
  expect(compile({ ...allow('*', '*'), Principal: '*' } as PolicyStatement)).toThrow(/element 'Principal'/);
  expect(compile({ Effect: 'Allow', Action: '*' })).toThrow(/either Resource or NotResource/);
  expect(compile({ Effect: 'Maybe', Action: '*', Resource: '*' })).toThrow(/'Maybe' is unknown/);
  expect(() => holds({ StringEquals: { 'aws:SourceVpce': 'vpce-1' } })).toThrow(/key 'aws:SourceVpce' is not modelled/);
});

test('a condition key that is not modelled does no harm where it decides nothing', () => {
  const metrics = {
    ...allow('cloudwatch:PutMetricData', '*'),
    Condition: { StringEquals: { 'cloudwatch:namespace': 'x' } },
  };

  expect(decide([metrics, allow('dynamodb:GetItem', table)], 'dynamodb:GetItem', table)).toBe('allowed');
});
