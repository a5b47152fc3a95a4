import { models } from '../../../local/resources/models';
import { type DeclaredResource, type ResourceModel, usedProperties } from '../../../local/template/resource-model';

const model: ResourceModel<unknown> = {
  uses: ['Name', 'Encryption.Enabled', 'Replicas.Key.Arn', 'Environment'],
  withoutEffect: { Tags: 'nothing reads tags', 'Replicas.Region': 'there is one region' },
  create: () => ({ ref: '' }),
};
const used = (properties: object) =>
  usedProperties({ type: 'AWS::X::Y', stackName: 'Stack', logicalId: 'Thing', properties } as DeclaredResource, model);

test('a model is given what it uses, and nothing of what has no effect', () => {
  const properties = {
    Name: 'n',
    Tags: [{ Key: 'a', Value: 'b' }],
    Encryption: { Enabled: true },
    Replicas: [{ Region: 'eu', Key: { Arn: 'a' } }, { Region: 'us' }],
    Environment: { Variables: { ANY: 'thing' } },
  };

  expect(used(properties)).toEqual({
    Name: 'n',
    Encryption: { Enabled: true },
    Replicas: [{ Key: { Arn: 'a' } }, {}],
    Environment: { Variables: { ANY: 'thing' } },
  });
});

test.each([
  [{ Colour: 'red' }, 'Colour'],
  [{ Encryption: { Enabled: true, Mode: 'x' } }, 'Encryption.Mode'],
  [{ Encryption: 'on' }, 'Encryption'],
  [{ Encryption: null }, 'Encryption'],
  [{ Replicas: [{ Region: 'eu' }, { Key: { Arn: 'a', Alias: 'b' } }] }, 'Replicas.Key.Alias'],
  [{ Replicas: ['eu'] }, 'Replicas'],
  [{ constructor: 1 }, 'constructor'],
])('%j: a property that nobody knows is an error that names it', (properties, path) => {
  expect(() => used(properties)).toThrow(
    `Stack/Thing: property ${path} of AWS::X::Y is not modelled locally: model it, or list it as without effect`,
  );
});

test('a model that uses all is given all', () => {
  const properties = { anything: [1] };

  expect(
    usedProperties({ properties } as unknown as DeclaredResource, { uses: 'all', create: () => ({ ref: '' }) }),
  ).toBe(properties);
});

test('no model lists a property both as used and as without effect, or one without a reason', () => {
  for (const [type, { uses, withoutEffect = {} }] of Object.entries(models)) {
    const paths = uses === 'all' ? [] : uses;
    expect([type, paths.filter((path) => path in withoutEffect)]).toEqual([type, []]);
    expect([type, Object.values(withoutEffect).filter((reason) => reason.length < 5)]).toEqual([type, []]);
  }
});
