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

/** Throws for the first property that the model does not know. */
export function refuseUnknownProperties<Local>(resource: DeclaredResource, model: ResourceModel<Local>): void {
  if (model.uses === 'all') return;
  const known = [...model.uses, ...Object.keys(model.withoutEffect ?? {})];
  const check = (value: unknown, path: string): void => {
    if (known.includes(path)) return;
    const leadsToKnown = path === '' || known.some((candidate) => candidate.startsWith(`${path}.`));
    if (leadsToKnown && Array.isArray(value)) for (const element of value) check(element, path);
    else if (leadsToKnown && typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) check(inner, path === '' ? key : `${path}.${key}`);
    else
      throw new Error(
        `${resource.stackName}/${resource.logicalId}: property ${path} of ${resource.type} is not modelled locally: ` +
          'model it, or list it as without effect, with the reason',
      );
  };
  check(resource.properties, '');
}
