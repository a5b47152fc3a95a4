/**
 * How one type of CloudFormation resource behaves locally. A type without a model is an error, and so is a property that
 * its model neither uses nor lists as having no effect here, with the reason: what the template says is never ignored in
 * silence.
 */
export interface ResourceModel<Local> {
  /** Properties that the model uses, as paths: `SSESpecification.SSEEnabled`. A path stands for all below it. */
  readonly uses: readonly string[] | 'all';
  /** Properties that change nothing on a laptop, as paths, each with its reason. */
  readonly withoutEffect?: Readonly<Record<string, string>>;
  create(resource: DeclaredResource, local: Local): Promise<Created> | Created;
}

export interface DeclaredResource {
  readonly type: string;
  readonly stackName: string;
  readonly logicalId: string;
  /** Stable, unique name for a resource that the template does not name. */
  readonly generatedName: string;
  /** Evaluated: no intrinsic function is left. */
  readonly properties: Readonly<Record<string, any>>;
  /** What an earlier run with the same state made of it. */
  readonly previous: Created | undefined;
}

/** What others may refer to. */
export interface Created {
  readonly ref: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/**
 * What a model is given of a resource's properties: those that it uses. Throws for the first property that it neither
 * uses nor lists as without effect.
 */
export function usedProperties<Local>(
  { stackName, logicalId, type, properties }: DeclaredResource,
  { uses, withoutEffect = {} }: ResourceModel<Local>,
): Readonly<Record<string, any>> {
  if (uses === 'all') return properties;
  const known = [...uses, ...Object.keys(withoutEffect)];

  const pick = (value: unknown, path: string): unknown => {
    if (uses.includes(path)) return value;
    const leadsOn = path === '' || known.some((candidate) => candidate.startsWith(`${path}.`));
    if (leadsOn && Array.isArray(value)) return value.map((element) => pick(element, path));
    if (leadsOn && typeof value === 'object' && value !== null) return pickMembers(value, path);
    throw new Error(
      `${stackName}/${logicalId}: property ${path} of ${type} is not modelled locally: ` +
        'model it, or list it as without effect, with the reason',
    );
  };
  const pickMembers = (members: object, path: string): Record<string, unknown> => {
    const picked: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(members)) {
      const member = path === '' ? name : `${path}.${name}`;
      if (!Object.hasOwn(withoutEffect, member)) picked[name] = pick(value, member);
    }
    return picked;
  };
  return pickMembers(properties, '');
}
