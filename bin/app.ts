import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { acknowledgeFindings } from '../lib/acknowledgements';
import { createPlatform } from '../lib/platform';
import { stageNamed, withMerchandisingEngine } from '../lib/stages';

/**
 * The CDK app: `npx cdk synth -c stage=local|dev|prod`. Without a stage it is dev; `-c merchandisingEngine=...` tries
 * another database for merchandising than the stage has. CDK's own validator checks the templates, cdk-nag the posture;
 * what they find is mended, or acknowledged in lib/acknowledgements.ts.
 */
const app = new App();
const stage = withMerchandisingEngine(
  stageNamed(app.node.tryGetContext('stage') ?? 'dev'),
  app.node.tryGetContext('merchandisingEngine'),
);
createPlatform(app, stage);
acknowledgeFindings(app, stage);
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
