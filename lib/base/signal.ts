import type { Metric } from 'aws-cdk-lib/aws-cloudwatch';

/** Something worth an alarm, said by the room that knows it; the Watch stack makes the alarms. */
export interface Signal {
  /** PascalCase, unique: names the alarm and its heading in docs/runbook.md. */
  readonly name: string;
  readonly metric: Metric;
  /** Alarm when the metric is above this... */
  readonly threshold: number;
  /** ...for this many periods in a row. */
  readonly periods: number;
  /** What the business loses meanwhile. */
  readonly impact: string;
}
