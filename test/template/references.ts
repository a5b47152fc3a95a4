import type { Resource, SynthesizedStage } from './synthesized';

/** What one stack offers to the others. */
export interface Export {
  readonly stack: string;
  readonly name: string;
  readonly value: unknown;
}

/** The exports of all stacks. */
export function exportsOf({ templates, stage }: SynthesizedStage): Export[] {
  return Object.entries(templates).flatMap(([stackName, { Outputs = {} }]) =>
    Object.values<any>(Outputs)
      .filter(({ Export: exported }) => exported !== undefined)
      .map(({ Export: { Name }, Value }) => ({
        stack: stackName.replace(`Tillstream-${stage.name}-`, ''),
        name: Name,
        value: Value,
      })),
  );
}

/**
 * The resources that a value of a template names, as `Stack/LogicalId`: by Ref, GetAtt or Sub, or through what another
 * stack exports.
 */
export function referencesIn(value: unknown, stack: string, synthesized: SynthesizedStage): string[] {
  if (Array.isArray(value)) return value.flatMap((element) => referencesIn(element, stack, synthesized));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'Ref') return /^AWS::/.test(inner) ? [] : [`${stack}/${inner}`];
    if (key === 'Fn::GetAtt') return [`${stack}/${[inner].flat()[0]}`];
    if (key === 'Fn::Sub') throw new Error(`${stack}: Fn::Sub is not followed: ${JSON.stringify(inner)}`);
    if (key !== 'Fn::ImportValue') return referencesIn(inner, stack, synthesized);
    const exported = exportsOf(synthesized).find(({ name }) => name === inner);
    if (exported === undefined) throw new Error(`${stack} imports '${inner}', which no stack exports`);
    return referencesIn(exported.value, exported.stack, synthesized);
  });
}

/** The one resource that a property names. */
export function resourceNamedBy(
  value: unknown,
  { stack }: Resource,
  synthesized: SynthesizedStage,
): Resource | undefined {
  const [name] = referencesIn(value, stack, synthesized);
  return synthesized.resources.find((resource) => `${resource.stack}/${resource.logicalId}` === name);
}

export interface Statement {
  /** Of whose policy: `Stack/LogicalId`. */
  readonly of: string;
  readonly stack: string;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly unknown[];
  readonly principal: unknown;
  readonly condition: unknown;
}

/** Every statement of every policy in the app: those of roles have no principal, those of resources have one. */
export function statementsOf({ resources }: SynthesizedStage): Statement[] {
  return resources.flatMap(({ stack, logicalId, Properties = {} }) =>
    documentsIn(Properties).map(({ Effect, Action = [], Resource: on = [], Principal, Condition, ...rest }) => {
      if ('NotAction' in rest || 'NotResource' in rest || 'NotPrincipal' in rest)
        throw new Error(`${stack}/${logicalId}: a statement says what it is not about`);
      return {
        of: `${stack}/${logicalId}`,
        stack,
        effect: Effect,
        actions: [Action].flat(),
        resources: [on].flat(),
        principal: Principal,
        condition: Condition,
      };
    }),
  );
}

/** A policy document, wherever in a resource's properties it stands; trust policies of roles too. */
function documentsIn(value: unknown): any[] {
  if (Array.isArray(value)) return value.flatMap(documentsIn);
  if (typeof value !== 'object' || value === null) return [];
  if ('Statement' in value && 'Version' in value) return [(value as any).Statement].flat();
  return Object.values(value).flatMap(documentsIn);
}

/** A resource of a statement as cdk-nag writes it: `<Bucket83908E77.Arn>/held/*`. */
export function written(value: any): string {
  if (typeof value === 'string') return value;
  if ('Ref' in value) return `<${value.Ref}>`;
  if ('Fn::GetAtt' in value) return `<${value['Fn::GetAtt'].join('.')}>`;
  if ('Fn::ImportValue' in value) return value['Fn::ImportValue'];
  if ('Fn::Join' in value) return value['Fn::Join'][1].map(written).join(value['Fn::Join'][0]);
  throw new Error(`no way to write ${JSON.stringify(value)}`);
}
