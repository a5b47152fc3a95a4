// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation, not of JavaScript

import { provision, type StackTemplate } from '../../../local/template/provisioner';
import type { Created, DeclaredResource, ResourceModel } from '../../../local/template/resource-model';

type Resources = NonNullable<StackTemplate['template']['Resources']>;
interface Local {
  readonly created: DeclaredResource[];
}

/** Makes anything, with an Arn, and remembers the order. */
const thing: ResourceModel<Local> = {
  uses: ['Name', 'Of', 'Parts'],
  withoutEffect: { Tags: 'nothing reads tags' },
  create(resource, { created }) {
    created.push(resource);
    return {
      ref: resource.properties.Name ?? resource.generatedName,
      attributes: { Arn: `arn:${resource.logicalId}` },
    };
  },
};
const models = { 'My::Thing': thing };

const stack = (stackName: string, Resources: Resources, rest: object = {}): StackTemplate => ({
  stackName,
  template: { Resources, ...rest },
});
const a = (Properties: Record<string, unknown> = {}, rest: object = {}) => ({ Type: 'My::Thing', Properties, ...rest });

async function run(stacks: readonly StackTemplate[], options: object = {}) {
  const created: DeclaredResource[] = [];
  const result = await provision<Local>({
    stacks,
    models,
    local: { created },
    pseudoParameters: { 'AWS::Region': 'eu-west-1' },
    resolveDynamic: async (reference) => `secret of ${reference}`,
    previous: {},
    ...options,
  });
  return { ...result, made: created, order: created.map(({ logicalId }) => logicalId) };
}

describe('order', () => {
  test('what is referred to comes first, however it is referred to', async () => {
    const { order } = await run([
      stack('S', {
        A: a({ Of: { Ref: 'B' } }),
        B: a({ Of: { 'Fn::GetAtt': ['C', 'Arn'] } }),
        C: a({ Of: { 'Fn::Sub': 'x-${D.Arn}' } }),
        D: a({}, { DependsOn: 'E' }),
        E: a({}, { DependsOn: ['G', 'F'] }),
        F: a({ Parts: [{ deep: { 'Fn::Join': ['', [{ Ref: 'H' }]] } }] }),
        G: a(),
        H: a(),
      }),
    ]);

    expect(order).toEqual(['G', 'H', 'F', 'E', 'D', 'C', 'B', 'A']);
  });

  test('otherwise it is that of the template, and stacks come one after the other', async () => {
    const { order } = await run([stack('S', { B: a(), A: a() }), stack('T', { D: a(), C: a() })]);

    expect(order).toEqual(['B', 'A', 'D', 'C']);
  });

  test.each<[string, Resources]>([
    ['A -> B -> C -> A', { A: a({ Of: { Ref: 'B' } }), B: a({ Of: { Ref: 'C' } }), C: a({ Of: { Ref: 'A' } }) }],
    ['A -> A', { A: a({ Of: { Ref: 'A' } }) }],
    ['A -> B -> A', { A: a({ Of: { Ref: 'B' } }), B: a({}, { DependsOn: 'A' }) }],
  ])('a circle is an error that shows it: %s', async (path, resources) => {
    await expect(run([stack('S', resources)])).rejects.toThrow(`S: resources refer to each other in a circle: ${path}`);
  });

  test('two that need the same are no circle', async () => {
    const { order } = await run([
      stack('S', { A: a({ Parts: [{ Ref: 'B' }, { Ref: 'C' }] }), B: a({ Of: { Ref: 'C' } }), C: a() }),
    ]);

    expect(order).toEqual(['C', 'B', 'A']);
  });
});

describe('references', () => {
  test('models are given values, not functions', async () => {
    const { made } = await run([
      stack('S', {
        A: a({ Name: 'first' }),
        B: a({
          Of: { 'Fn::Join': [':', [{ Ref: 'A' }, { 'Fn::GetAtt': ['A', 'Arn'] }, { Ref: 'AWS::Region' }]] },
          Parts: [{ Ref: 'AWS::StackName' }, { Ref: 'AWS::NoValue' }, '{{resolve:ssm:/x}}'],
          Name: { Ref: 'AWS::NoValue' },
        }),
      }),
    ]);

    expect(made[1]!.properties).toEqual({ Of: 'first:arn:A:eu-west-1', Parts: ['S', 'secret of ssm:/x'] });
    expect(made[1]!.generatedName).toBe('S-B');
  });

  test('outputs cross stacks by their export names', async () => {
    const { made, outputs } = await run([
      stack(
        'S',
        { A: a() },
        {
          Outputs: {
            Plain: { Value: { Ref: 'A' } },
            Shared: { Value: { 'Fn::GetAtt': ['A', 'Arn'] }, Export: { Name: { 'Fn::Sub': '${AWS::StackName}:A' } } },
          },
        },
      ),
      stack('T', { B: a({ Of: { 'Fn::ImportValue': 'S:A' } }) }),
    ]);

    expect(made[1]!.properties.Of).toBe('arn:A');
    expect(outputs).toEqual({ 'S/Plain': 'S-A', 'S/Shared': 'arn:A', 'S:A': 'arn:A' });
  });

  test.each<[string, readonly StackTemplate[], string]>([
    ['an export of nobody', [stack('S', { A: a({ Of: { 'Fn::ImportValue': 'X' } }) })], "S: nothing exports 'X'"],
    [
      'an export of a later stack',
      [
        stack('S', { A: a({ Of: { 'Fn::ImportValue': 'X' } }) }),
        stack('T', {}, { Outputs: { O: { Value: 'v', Export: { Name: 'X' } } } }),
      ],
      "S: nothing exports 'X'",
    ],
    [
      'a name exported twice',
      ['S', 'T'].map((name) => stack(name, {}, { Outputs: { O: { Value: name, Export: { Name: 'X' } } } })),
      "T/O: 'X' is exported already",
    ],
    [
      'a resource that is not there',
      [stack('S', { A: a({ Of: { Ref: 'Gone' } }) })],
      'S: Gone is referred to but not created',
    ],
    [
      'a resource of another stack',
      [stack('S', { B: a() }), stack('T', { A: a({ Of: { Ref: 'B' } }) })],
      'T: B is referred to but not created',
    ],
    [
      'a pseudo parameter that is not given',
      [stack('S', { A: a({ Of: { Ref: 'AWS::StackId' } }) })],
      'S: AWS::StackId is referred to but not created',
    ],
    [
      'an attribute that the model does not have',
      [stack('S', { A: a(), B: a({ Of: { 'Fn::GetAtt': ['A', 'StreamArn'] } }) })],
      'S/A: attribute StreamArn of My::Thing is not modelled locally',
    ],
    [
      'a dependency that is not there',
      [stack('S', { A: a({}, { DependsOn: ['Gone'] }) })],
      'S/A: DependsOn: there is no resource Gone',
    ],
    [
      'an unknown function',
      [stack('S', { A: a({ Of: { 'Fn::Cidr': [] } }) })],
      'intrinsic function Fn::Cidr is not modelled locally',
    ],
    [
      'a condition on a resource',
      [stack('S', { A: a({}, { Condition: 'IsProd' }) })],
      'S: condition IsProd: conditions are not modelled locally',
    ],
    [
      'a condition in a property',
      [stack('S', { A: a({ Of: { 'Fn::If': ['IsProd', 1, 2] } }) })],
      'S: condition IsProd: conditions are not modelled locally',
    ],
    ['an unknown property', [stack('S', { A: a({ Colour: 'red' }) })], 'S/A: property Colour of My::Thing'],
  ])('%s is an error that names it', async (_, stacks, message) => {
    await expect(run(stacks)).rejects.toThrow(message);
  });
});

describe('types', () => {
  test('unknown types are named, each once, before anything is made', async () => {
    const created: DeclaredResource[] = [];
    const stacks = [
      stack('S', { A: a(), B: { Type: 'My::Other' }, C: { Type: 'My::Other' } }),
      stack('T', { D: { Type: 'Custom::Step' } }),
    ];

    await expect(run(stacks, { local: { created } })).rejects.toThrow(
      'resource types without a local model: My::Other, Custom::Step: add one in local/resources',
    );
    expect(created).toEqual([]);
  });

  test('custom resources share a model, whatever they are called', async () => {
    const { order } = await run([stack('S', { A: { Type: 'Custom::Keyset' }, B: { Type: 'Custom::Tokens' } })], {
      models: { 'Custom::*': { ...thing, uses: 'all' } },
    });

    expect(order).toEqual(['A', 'B']);
  });
});

test('a kept state is handed to the model of each resource, under its stack and logical id', async () => {
  const previous: Record<string, Created> = { 'S/A': { ref: 'kept' }, 'T/A': { ref: 'of another' } };

  const { made, created } = await run([stack('S', { A: a(), B: a() })], { previous });

  expect(made.map((resource) => resource.previous)).toEqual([{ ref: 'kept' }, undefined]);
  expect(created).toEqual({
    'S/A': { ref: 'S-A', attributes: { Arn: 'arn:A' } },
    'S/B': { ref: 'S-B', attributes: { Arn: 'arn:B' } },
  });
});

test('progress counts the resources of all stacks', async () => {
  const progress: string[] = [];

  await run([stack('S', { A: a() }), stack('T', { B: a() }), { stackName: 'U', template: {} }], {
    onCreated: (done: number, total: number, { stackName, logicalId }: DeclaredResource) =>
      progress.push(`${done}/${total} ${stackName}/${logicalId}`),
  });

  expect(progress).toEqual(['1/2 S/A', '2/2 T/B']);
});

test('a model that fails stops the rest', async () => {
  const failing: ResourceModel<Local> = {
    uses: [],
    create: () => {
      throw new Error('the step failed: no room');
    },
  };
  const created: DeclaredResource[] = [];

  await expect(
    run([stack('S', { A: { Type: 'My::Failing' }, B: a() })], {
      models: { ...models, 'My::Failing': failing },
      local: { created },
    }),
  ).rejects.toThrow('the step failed: no room');
  expect(created).toEqual([]);
});
