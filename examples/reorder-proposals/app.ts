import { App } from 'aws-cdk-lib';
import { stageNamed } from '../../lib/stages';
import { ReorderProposalsStack } from './reorder-proposals-stack';

/** `npm run build && npx cdk deploy -a 'node build/examples/reorder-proposals/app.js' -c stage=dev`, once the platform is there. */
const app = new App();
const stage = stageNamed(app.node.tryGetContext('stage') ?? 'dev');
new ReorderProposalsStack(app, 'ReorderProposals', {
  stage,
  stackName: `Tillstream-${stage.name}-ReorderProposals`,
  description: 'an example: proposals to order, from triggers of stock',
  env: { region: stage.region },
  terminationProtection: stage.keepData,
});
