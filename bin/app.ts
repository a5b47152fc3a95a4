import { App, Validations } from 'aws-cdk-lib';
import { createPlatform } from '../lib/platform';
import { stageNamed } from '../lib/stages';

/** The CDK app: `npx cdk synth -c stage=local|dev|prod`. Without a stage it is dev. */
const app = new App();
const { network } = createPlatform(app, stageNamed(app.node.tryGetContext('stage') ?? 'dev'));
Validations.of(network).acknowledge({
  id: 'CloudFormation-Validate::W3010',
  reason: 'zones are pinned, so that synth needs no account to look them up in',
});
