/** An alarm of the template. */
export interface DeclaredAlarm {
  readonly name: string;
  readonly description: string;
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly statistic: string;
  readonly threshold: number;
  readonly comparison: string;
}

/**
 * The template's alarms over the metrics of this run. A run is short, so periods are not imitated: an alarm rings when
 * its metric has gone over the threshold within the last minute.
 */
export class Alarms {
  readonly #alarms: DeclaredAlarm[] = [];
  readonly #points = new Map<string, { at: number; value: number }[]>();

  constructor(private readonly now: () => number = Date.now) {}

  declare(alarm: DeclaredAlarm): void {
    if (alarm.comparison !== 'GreaterThanThreshold')
      throw new Error(`alarm ${alarm.name}: comparison ${alarm.comparison} is not modelled locally`);
    if (!Object.hasOwn(statistics, alarm.statistic))
      throw new Error(`alarm ${alarm.name}: statistic ${alarm.statistic} is not modelled locally`);
    this.#alarms.push(alarm);
    this.#points.set(seriesOf(alarm), []);
  }

  /** Takes a metric's value; series without an alarm are not kept. */
  record(namespace: string, metricName: string, dimensions: Readonly<Record<string, string>>, value: number): void {
    const points = this.#points.get(seriesOf({ namespace, metricName, dimensions }));
    if (points === undefined) return;
    points.push({ at: this.now(), value });
    // Nobody may ever ask: what is old goes now and then without.
    if (points.length % 1_000 === 0) this.#forgetOld();
  }

  /** Takes a log line: one in the embedded metric format is metrics, any other is not for us. */
  recordLine(line: string): void {
    if (!line.startsWith('{"_aws"')) return;
    const entry = parsed(line);
    for (const { Namespace, Dimensions, Metrics } of entry?._aws?.CloudWatchMetrics ?? [])
      for (const names of Dimensions as string[][]) {
        const dimensions = Object.fromEntries(names.map((name) => [name, entry[name]]));
        for (const { Name } of Metrics) this.record(Namespace, Name, dimensions, entry[Name]);
      }
  }

  ringing(): readonly DeclaredAlarm[] {
    this.#forgetOld();
    return this.#alarms.filter((alarm) => {
      const values = this.#points.get(seriesOf(alarm))!.map(({ value }) => value);
      return values.length > 0 && statistics[alarm.statistic]!(values) > alarm.threshold;
    });
  }

  #forgetOld(): void {
    const since = this.now() - 60_000;
    for (const [series, points] of this.#points)
      this.#points.set(
        series,
        points.filter(({ at }) => at >= since),
      );
  }
}

/** A function that was killed while it wrote leaves half a line. */
function parsed(line: string): any {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const statistics: Readonly<Record<string, (values: readonly number[]) => number>> = {
  Sum: (values) => values.reduce((sum, value) => sum + value, 0),
  Maximum: (values) => values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY),
  Minimum: (values) => values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
  Average: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
};

function seriesOf({
  namespace,
  metricName,
  dimensions,
}: Pick<DeclaredAlarm, 'namespace' | 'metricName' | 'dimensions'>): string {
  return JSON.stringify([namespace, metricName, Object.entries(dimensions).sort()]);
}
