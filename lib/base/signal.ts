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
  /**
   * Alarm when nothing is counted, too: for what must report whenever it runs. Absent where things that go wrong are
   * counted, since there nothing counted is nothing wrong.
   */
  readonly missing?: 'bad';
  /** What the business loses meanwhile. */
  readonly impact: string;
}
