import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { createPlatform } from '../lib/platform';
import { type MerchandisingEngine, stageNamed, withMerchandisingEngine } from '../lib/stages';
import type { StackTemplate } from './template/provisioner';

export interface Synthesized {
  /** In the order in which CloudFormation would deploy them. */
  readonly stacks: readonly StackTemplate[];
  /** The folder of a function's code, as the template names it. */
  assetFolder(code: { readonly S3Key?: string }): string;
}

/** Synthesizes the `local` stage into a folder: the very app that is deployed, with the same feature flags. */
export function synthesizeLocalStage(outdir: string, merchandisingEngine?: MerchandisingEngine): Synthesized {
  rmSync(outdir, { recursive: true, force: true });
  const { context } = JSON.parse(readFileSync('cdk.json', 'utf8'));
  const app = new App({
    outdir,
    context,
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
  });
  createPlatform(app, withMerchandisingEngine(stageNamed('local'), merchandisingEngine));
  const assembly = app.synth();
  return {
    stacks: assembly.stacks.map(({ stackName, template }) => ({ stackName, template })),
    assetFolder({ S3Key }) {
      if (S3Key === undefined) throw new Error('only functions from a bundle can be run locally');
      return join(outdir, `asset.${S3Key.replace(/\.zip$/, '')}`);
    },
  };
}
