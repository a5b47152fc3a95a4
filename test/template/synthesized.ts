import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, type CfnElement, Stack } from 'aws-cdk-lib';
import { acknowledgeFindings } from '../../lib/acknowledgements';
import { NodeFunction } from '../../lib/base/node-function';
import { createPlatform } from '../../lib/platform';
import { type Stage, stageNamed, withMerchandisingEngine } from '../../lib/stages';

export interface Resource {
  readonly stackName: string;
  /** The stack without the stage: `Lake`. */
  readonly stack: string;
  readonly logicalId: string;
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, any>>;
  readonly [attribute: string]: unknown;
}

export interface SynthesizedStage {
  readonly stage: Stage;
  readonly app: App;
  readonly templates: Readonly<Record<string, any>>;
  readonly resources: readonly Resource[];
  /** Stacks, in the order in which they are deployed, that CloudFormation refuses to delete. */
  readonly protectedStacks: readonly string[];
  /** What CDK's constructs warn of and nobody has acknowledged: `--strict` refuses it. */
  readonly warnings: readonly string[];
  /** Every function of ours: its directory under lambdas/, and the names of its variables. */
  readonly functions: readonly { readonly directory: string; readonly variables: readonly string[] }[];
}

export const stages = ['local', 'dev', 'prod'] as const;

const outdir = mkdtempSync(join(tmpdir(), 'tillstream-template-'));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

const cache = new Map<string, SynthesizedStage>();

/** The app of a stage, synthesized once for all tests of a file, with the feature flags that the CLI gives it. */
export function synthesizedStage(name: Stage['name']): SynthesizedStage {
  const known = cache.get(name) ?? synthesize(stageNamed(name));
  cache.set(name, known);
  return known;
}

/** Prod as it is where merchandising's time series are in LiveAnalytics. */
export function synthesizedLiveAnalytics(): SynthesizedStage {
  const known = cache.get('liveanalytics') ?? synthesize(withMerchandisingEngine(stageNamed('prod'), 'liveanalytics'));
  cache.set('liveanalytics', known);
  return known;
}

let apps = 0;

/** The app of a stage that is none of ours, for example one with a network that exists. */
export function synthesize(stage: Stage): SynthesizedStage {
  const { context } = JSON.parse(readFileSync('cdk.json', 'utf8'));
  const app = new App({
    context,
    outdir: join(outdir, String(++apps)),
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
  });
  createPlatform(app, stage);
  acknowledgeFindings(app, stage);
  const { stacks } = app.synth();
  const short = (stackName: string) => stackName.replace(`Tillstream-${stage.name}-`, '');
  const templates = Object.fromEntries(stacks.map(({ stackName, template }) => [stackName, template]));
  const resources = Object.entries(templates).flatMap(([stackName, template]) =>
    Object.entries<any>(template.Resources).map(([logicalId, resource]) => ({
      stackName,
      stack: short(stackName),
      logicalId,
      ...resource,
    })),
  );
  const functions = app.node
    .findAll()
    .filter((construct): construct is NodeFunction => construct instanceof NodeFunction)
    .map((construct) => {
      const stack = Stack.of(construct);
      const element = construct.function.node.defaultChild as CfnElement;
      const found = resources.find(
        ({ logicalId, stackName }) => stackName === stack.stackName && logicalId === stack.resolve(element.logicalId),
      )!;
      return {
        directory: construct.directory,
        variables: Object.keys(found.Properties?.Environment?.Variables ?? {}).sort(),
      };
    });
  const warnings = stacks.flatMap(({ messages }) => messages.map(({ entry }) => String(entry.data)));
  const protectedStacks = stacks
    .filter(({ terminationProtection }) => terminationProtection)
    .map((each) => each.stackName);
  return { stage, app, templates, resources, protectedStacks: protectedStacks.map(short), warnings, functions };
}

/** How many resources of each type, by stack. */
export function countsOf({ resources }: SynthesizedStage): Record<string, Record<string, number>> {
  const counts: Record<string, Record<string, number>> = {};
  for (const { stack, Type } of resources) {
    counts[stack] ??= {};
    counts[stack][Type] = (counts[stack][Type] ?? 0) + 1;
  }
  return counts;
}

/** The resources of these types. */
export function ofType(
  { resources }: SynthesizedStage,
  ...types: string[]
): (Resource & Required<Pick<Resource, 'Properties'>>)[] {
  return resources
    .filter(({ Type }) => types.includes(Type))
    .map((resource) => ({ ...resource, Properties: resource.Properties ?? {} }));
}

/** `Stack/LogicalId`. */
export const nameOf = ({ stack, logicalId }: Resource) => `${stack}/${logicalId}`;

/** Whether it belongs to the function that empties buckets in dev, which CDK brings with it. */
export const isCdksOwn = ({ logicalId }: Resource) => logicalId.startsWith('CustomS3AutoDeleteObjects');
