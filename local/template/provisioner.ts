import { referredIn, resolve } from './intrinsics';
import { type Created, type DeclaredResource, type ResourceModel, usedProperties } from './resource-model';

export interface StackTemplate {
  readonly stackName: string;
  readonly template: {
    readonly Resources?: Record<string, TemplateResource>;
    readonly Outputs?: Record<string, { readonly Value: unknown; readonly Export?: { readonly Name: unknown } }>;
    readonly Conditions?: Record<string, unknown>;
  };
}

interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Record<string, unknown>;
  readonly DependsOn?: string | string[];
  readonly Condition?: string;
}

export interface ProvisionOptions<Local> {
  readonly stacks: readonly StackTemplate[];
  readonly models: Readonly<Record<string, ResourceModel<Local>>>;
  readonly local: Local;
  readonly pseudoParameters: Readonly<Record<string, string>>;
  resolveDynamic(reference: string): Promise<string>;
  /** What an earlier run with the same state made, by `stack/logicalId`. */
  readonly previous: Readonly<Record<string, Created>>;
  onCreated?(done: number, total: number, resource: DeclaredResource): void;
}

/**
 * Creates every resource of the stacks, in the order that their references and DependsOn demand, by the model of its
 * type, as CloudFormation would. Returns what was made, by `stack/logicalId`, and the stacks' outputs by export name and
 * `stack/output`.
 */
export async function provision<Local>(options: ProvisionOptions<Local>) {
  const { stacks, models, local, pseudoParameters, resolveDynamic, previous, onCreated } = options;
  const created: Record<string, Created> = {};
  const outputs: Record<string, string> = {};
  const total = stacks.reduce((sum, { template }) => sum + Object.keys(template.Resources ?? {}).length, 0);
  let done = 0;
  refuseUnknownTypes(stacks, models);

  for (const { stackName, template } of stacks) {
    const resources = template.Resources ?? {};
    const references = {
      ref(logicalId: string) {
        const pseudo = logicalId === 'AWS::StackName' ? stackName : pseudoParameters[logicalId];
        return pseudo ?? existing(logicalId).ref;
      },
      attribute(logicalId: string, attribute: string) {
        const value = existing(logicalId).attributes?.[attribute];
        if (value === undefined)
          throw new Error(
            `${stackName}/${logicalId}: attribute ${attribute} of ${resources[logicalId]?.Type} is not modelled locally`,
          );
        return value;
      },
      imported(exportName: string) {
        const value = outputs[exportName];
        if (value === undefined) throw new Error(`${stackName}: nothing exports '${exportName}'`);
        return value;
      },
      condition(name: string): boolean {
        throw new Error(`${stackName}: condition ${name}: conditions are not modelled locally, use context instead`);
      },
      dynamic: resolveDynamic,
    };
    const existing = (logicalId: string): Created => {
      const found = created[`${stackName}/${logicalId}`];
      if (found === undefined) throw new Error(`${stackName}: ${logicalId} is referred to but not created`);
      return found;
    };

    for (const logicalId of inOrder(stackName, resources)) {
      const { Type: type, Properties = {}, Condition } = resources[logicalId]!;
      if (Condition !== undefined) references.condition(Condition);
      const resource: DeclaredResource = {
        type,
        stackName,
        logicalId,
        generatedName: `${stackName}-${logicalId}`,
        properties: (await resolve(Properties, references)) as Record<string, unknown>,
        previous: previous[`${stackName}/${logicalId}`],
      };
      const model = modelOf(type, models)!;
      const used = { ...resource, properties: usedProperties(resource, model) };
      created[`${stackName}/${logicalId}`] = await model.create(used, local);
      done++;
      onCreated?.(done, total, resource);
    }
    for (const [name, { Value, Export }] of Object.entries(template.Outputs ?? {})) {
      const value = String(await resolve(Value, references));
      outputs[`${stackName}/${name}`] = value;
      if (Export === undefined) continue;
      const exportName = String(await resolve(Export.Name, references));
      if (exportName in outputs) throw new Error(`${stackName}/${name}: '${exportName}' is exported already`);
      outputs[exportName] = value;
    }
  }
  return { created, outputs };
}

function modelOf<Local>(type: string, models: Readonly<Record<string, ResourceModel<Local>>>) {
  return models[type] ?? (type.startsWith('Custom::') ? models['Custom::*'] : undefined);
}

function refuseUnknownTypes<Local>(
  stacks: readonly StackTemplate[],
  models: Readonly<Record<string, ResourceModel<Local>>>,
): void {
  const types = stacks.flatMap(({ template }) => Object.values(template.Resources ?? {}).map(({ Type }) => Type));
  const unknown = [...new Set(types)].filter((type) => modelOf(type, models) === undefined);
  if (unknown.length > 0)
    throw new Error(`resource types without a local model: ${unknown.join(', ')}: add one in local/resources`);
}

/** Logical ids so that each comes after all it refers to. */
function inOrder(stackName: string, resources: Readonly<Record<string, TemplateResource>>): string[] {
  const order: string[] = [];
  const state = new Map<string, 'visiting' | 'done'>();
  const visit = (logicalId: string, path: readonly string[]): void => {
    if (state.get(logicalId) === 'done') return;
    if (state.get(logicalId) === 'visiting')
      throw new Error(`${stackName}: resources refer to each other in a circle: ${[...path, logicalId].join(' -> ')}`);
    state.set(logicalId, 'visiting');
    const { Properties, DependsOn = [] } = resources[logicalId]!;
    const missing = [DependsOn].flat().find((needed) => !Object.hasOwn(resources, needed));
    if (missing !== undefined) throw new Error(`${stackName}/${logicalId}: DependsOn: there is no resource ${missing}`);
    for (const needed of [...referredIn(Properties), ...[DependsOn].flat()])
      if (Object.hasOwn(resources, needed)) visit(needed, [...path, logicalId]);
    state.set(logicalId, 'done');
    order.push(logicalId);
  };
  for (const logicalId of Object.keys(resources)) visit(logicalId, []);
  return order;
}
