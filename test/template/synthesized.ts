import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, type CfnElement, Stack } from 'aws-cdk-lib';
import { NodeFunction } from '../../lib/base/node-function';
import { createPlatform } from '../../lib/platform';
import { type Stage, stageNamed } from '../../lib/stages';

export interface Resource {
  readonly stackName: string;
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
  /** Every function of ours: its directory under lambdas/, and the names of its variables. */
  readonly functions: readonly { readonly directory: string; readonly variables: readonly string[] }[];
}

const cache = new Map<string, SynthesizedStage>();

/** The app of a stage, synthesized once for all tests of a file, with the feature flags that the CLI gives it. */
export function synthesizedStage(name: Stage['name']): SynthesizedStage {
  const known = cache.get(name);
  if (known !== undefined) return known;
  const { context } = JSON.parse(readFileSync('cdk.json', 'utf8'));
  const app = new App({
    context,
    outdir: mkdtempSync(join(tmpdir(), 'tillstream-template-')),
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
  });
  const stage = stageNamed(name);
  createPlatform(app, stage);
  const templates = Object.fromEntries(app.synth().stacks.map(({ stackName, template }) => [stackName, template]));
  const resources = Object.entries(templates).flatMap(([stackName, template]) =>
    Object.entries<any>(template.Resources).map(([logicalId, resource]) => ({ stackName, logicalId, ...resource })),
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
  const synthesized = { stage, app, templates, resources, functions };
  cache.set(name, synthesized);
  return synthesized;
}
