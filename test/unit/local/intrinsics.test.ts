// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation, not of JavaScript

import { type References, referredIn, resolve } from '../../../local/template/intrinsics';

const secret = "p$&ss$1'w{o}rd";
const references: References = {
  ref: (id) => `ref(${id})`,
  attribute: (id, attribute) => `${id}!${attribute}`,
  imported: (name) => `imported(${name})`,
  condition: (name) => name === 'IsTrue',
  dynamic: async (reference) => (reference.startsWith('secretsmanager:') ? secret : `dynamic(${reference})`),
};
const resolved = (value: unknown) => resolve(value, references);
const nothing = { Ref: 'AWS::NoValue' };

describe('values', () => {
  test.each([17, 0, true, false, null, '', 'text', [], {}, [1, 'a', null]])('%j stays as it is', async (value) => {
    expect(await resolved(value)).toEqual(value);
  });

  test('functions are evaluated at any depth', async () => {
    expect(await resolved({ a: [{ b: { Ref: 'X' } }], c: { d: { 'Fn::GetAtt': ['Y', 'Arn'] } } })).toEqual({
      a: [{ b: 'ref(X)' }],
      c: { d: 'Y!Arn' },
    });
  });

  test('an object with more than one member is no function', async () => {
    expect(await resolved({ Ref: 'X', other: 1 })).toEqual({ Ref: 'X', other: 1 });
  });

  test.each(['Fn::Base64', 'Fn::Cidr', 'Fn::FindInMap', 'Fn::GetAZs', 'Fn::Transform'])(
    'the function %s, which is not modelled, is an error that names it',
    async (name) => {
      await expect(resolved({ a: [{ [name]: 'x' }] })).rejects.toThrow(
        `intrinsic function ${name} is not modelled locally`,
      );
    },
  );
});

describe('AWS::NoValue', () => {
  test('a property, an element or a part of a text is not there', async () => {
    expect(await resolved({ a: nothing, b: 1 })).toEqual({ b: 1 });
    expect(await resolved([1, nothing, 2])).toEqual([1, 2]);
    expect(await resolved({ 'Fn::Join': ['-', ['a', nothing, 'b']] })).toBe('a-b');
  });

  test('nor is what a condition leaves out', async () => {
    const either = (name: string) => ({ 'Fn::If': [name, 'kept', nothing] });

    expect(await resolved({ a: either('IsTrue'), b: either('IsFalse') })).toEqual({ a: 'kept' });
  });
});

describe('functions', () => {
  test.each<[unknown, unknown]>([
    [{ Ref: 'AWS::Region' }, 'ref(AWS::Region)'],
    [{ 'Fn::GetAtt': ['Work', 'Workgroup.WorkgroupArn'] }, 'Work!Workgroup.WorkgroupArn'],
    [{ 'Fn::GetAtt': 'Work.Workgroup.WorkgroupArn' }, 'Work!Workgroup.WorkgroupArn'],
    [{ 'Fn::ImportValue': 'Name' }, 'imported(Name)'],
    [{ 'Fn::ImportValue': { 'Fn::Sub': '${A}-x' } }, 'imported(ref(A)-x)'],
    [{ 'Fn::Join': ['', ['arn:', { Ref: 'A' }, { 'Fn::Join': ['/', ['b', 'c']] }]] }, 'arn:ref(A)b/c'],
    [{ 'Fn::Split': [':', 'a:b:c'] }, ['a', 'b', 'c']],
    [{ 'Fn::Select': [1, ['a', { Ref: 'B' }]] }, 'ref(B)'],
    [{ 'Fn::Select': ['2', { 'Fn::Split': ['!', { 'Fn::GetAtt': ['A', 'b!c'] }] }] }, 'c'],
    [{ 'Fn::If': ['IsTrue', { Ref: 'A' }, { 'Fn::Never': 1 }] }, 'ref(A)'],
    [{ 'Fn::If': ['IsFalse', { 'Fn::Never': 1 }, { Ref: 'B' }] }, 'ref(B)'],
  ])('%j is %j', async (value, expected) => {
    expect(await resolved(value)).toEqual(expected);
  });

  test('what is not in a list cannot be selected', async () => {
    await expect(resolved({ 'Fn::Select': [2, ['a', 'b']] })).rejects.toThrow('Fn::Select: got 2, allowed: 0 to 1');
  });
});

describe('Fn::Sub', () => {
  test.each<[unknown, string]>([
    ['nothing', 'nothing'],
    ['${A}', 'ref(A)'],
    ['x-${A}-${AWS::Region}-y', 'x-ref(A)-ref(AWS::Region)-y'],
    ['${A.Arn}/*', 'A!Arn/*'],
    ['${A.Endpoint.Address}', 'A!Endpoint.Address'],
    ['${!Literal} and ${A}', '${Literal} and ref(A)'],
    ['$A {A} $ {A}', '$A {A} $ {A}'],
    [['${B}-${A}', { B: 'own' }], 'own-ref(A)'],
    [['${B}', { B: { 'Fn::GetAtt': ['C', 'Arn'] } }], 'C!Arn'],
    [['${constructor}', {}], 'ref(constructor)'],
    [['${B}', { B: '$& ${A}' }], '$& ${A}'],
  ])('%j is %j', async (argument, expected) => {
    expect(await resolved({ 'Fn::Sub': argument })).toBe(expected);
  });
});

describe('dynamic references', () => {
  const whole = '{{resolve:secretsmanager:arn:secret:SecretString:password::}}';

  test('in a text, alone or among others', async () => {
    expect(await resolved(whole)).toBe(secret);
    expect(await resolved(`a ${whole} b ${whole} {{resolve:ssm:/x}}`)).toBe(`a ${secret} b ${secret} dynamic(ssm:/x)`);
  });

  test('put together by a function, as the CDK writes them', async () => {
    const joined = { 'Fn::Join': ['', ['{{resolve:secretsmanager:', { Ref: 'S' }, ':SecretString:password::}}']] };

    expect(await resolved({ Password: joined })).toEqual({ Password: secret });
    expect(await resolved({ 'Fn::Sub': '{{resolve:secretsmanager:${S}:SecretString:password::}}' })).toBe(secret);
  });
});

describe('what must exist before', () => {
  test.each<[unknown, string[]]>([
    [undefined, []],
    [{ a: { Ref: 'X' }, b: [{ 'Fn::GetAtt': ['Y', 'Arn'] }, { 'Fn::GetAtt': 'Z.Arn' }] }, ['X', 'Y', 'Z']],
    [{ 'Fn::Sub': '${A}-${B.Arn}-${!C}' }, ['A', 'B']],
    [{ 'Fn::Sub': ['${A}', { A: { Ref: 'D' } }] }, ['A', 'D']],
    [{ 'Fn::If': ['Is', { Ref: 'A' }, { 'Fn::Join': ['', [{ Ref: 'B' }]] }] }, ['A', 'B']],
    [{ 'Fn::ImportValue': 'X' }, []],
  ])('%j refers to %j', (value, expected) => {
    expect([...referredIn(value)].sort()).toEqual(expected);
  });
});
