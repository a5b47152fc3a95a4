import { AwsSolutionsChecks } from 'cdk-nag';
import { acknowledgements } from '../../lib/acknowledgements';
import type { SynthesizedStage } from './synthesized';

interface Finding {
  readonly finding: string;
  readonly path: string;
}

/** What cdk-nag finds in an app: how much, what of it nobody has acknowledged, and what is acknowledged but not found. */
export function findingsOf({ app, stage }: SynthesizedStage) {
  const found = new AwsSolutionsChecks(app)
    .validateScope(app)
    .violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(
        ({ constructPath }): Finding => ({ finding: `AwsSolutions::${ruleName}`, path: constructPath! }),
      ),
    );
  const acknowledged = acknowledgements(stage)
    .filter(({ finding }) => finding.startsWith('AwsSolutions::'))
    .flatMap(({ finding, at }) => at.map((path): Finding => ({ finding, path })));
  const covers = (one: Finding, other: Finding) =>
    one.finding === other.finding && `${other.path}/`.startsWith(`${one.path}/`);
  return {
    found: found.length,
    unacknowledged: found.filter((each) => !acknowledged.some((one) => covers(one, each))),
    withoutCause: acknowledged.filter((one) => !found.some((each) => covers(one, each))),
  };
}
