import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { ReorderProposalsStack } from '../../examples/reorder-proposals/reorder-proposals-stack';
import { stageNamed } from '../../lib/stages';
import { localAccount, localRegion } from '../../local/engines/engine';
import { models } from '../../local/resources/models';
import { provision } from '../../local/template/provisioner';
import type { RunningPlatform } from './running';

/** Deploys the example subscriber from its template, as its team would, to a platform that runs already. */
export async function deployReorderProposals({ run, folder }: RunningPlatform): Promise<void> {
  const outdir = mkdtempSync(join(tmpdir(), 'tillstream-synth-'));
  try {
    const { context } = JSON.parse(readFileSync('cdk.json', 'utf8'));
    const quiet = { analyticsReporting: false, treeMetadata: false, builtinCloudFormationValidation: false };
    const app = new App({ outdir, context, ...quiet });
    const stage = stageNamed('local');
    new ReorderProposalsStack(app, 'ReorderProposals', {
      stage,
      stackName: 'Tillstream-local-ReorderProposals',
      env: { region: stage.region },
    });
    const { stacks } = app.synth();
    // Where the run looks for the code of functions.
    for (const asset of readdirSync(outdir).filter((name) => name.startsWith('asset.')))
      cpSync(join(outdir, asset), join(folder, 'state', 'assembly', asset), { recursive: true });
    await provision({
      stacks: stacks.map(({ stackName, template }) => ({ stackName, template })),
      models,
      local: run.account,
      previous: {},
      pseudoParameters: {
        'AWS::AccountId': localAccount,
        'AWS::Region': localRegion,
        'AWS::Partition': 'aws',
        'AWS::URLSuffix': 'amazonaws.com',
      },
      resolveDynamic: (reference) => Promise.reject(new Error(`nothing dynamic was expected: ${reference}`)),
    });
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

/** What the example has proposed, by the crossing. */
export async function proposalsOf({ run }: RunningPlatform): Promise<Record<string, number>> {
  const { Items } = await run.account.engines.dynamodb.call('Scan', {
    TableName: run.valueOf('ReorderProposals', 'PROPOSALS_TABLE_NAME'),
  });
  return Object.fromEntries(Items.map(({ crossingId, quantity }: any) => [crossingId.S, Number(quantity.N)]));
}
