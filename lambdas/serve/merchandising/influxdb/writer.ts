import type { Point } from '../points';
import type { TimeSeriesWriter } from '../time-series';
import { type InfluxDbConnection, influxDbPost } from './connection';
import { type Databases, databaseOf, lineProtocol } from './line-protocol';

export interface InfluxDbWriterOptions extends InfluxDbConnection {
  readonly databases: Databases;
}

// InfluxDB's own advice for a call is 5,000 to 10,000 lines; a batch of long sales has up to 100,000.
const pointsPerCall = 10_000;

/**
 * Timestream for InfluxDB, by the `/write` that InfluxDB 1, 2 and 3 share. Anything but full success or "beyond
 * retention" is thrown and tried again.
 */
export function influxDbWriter({ databases, ...connection }: InfluxDbWriterOptions): TimeSeriesWriter {
  const post = influxDbPost(connection);

  return {
    async write(points) {
      const byDatabase = new Map<string, Point[]>();
      for (const point of points) {
        const database = databaseOf(point, databases);
        const others = byDatabase.get(database);
        if (others === undefined) byDatabase.set(database, [point]);
        else others.push(point);
      }
      const counts = await Promise.all([...byDatabase].map(([database, some]) => writeTo(database, some)));
      return { beyondRetention: counts.reduce((sum, count) => sum + count, 0) };
    },
  };

  async function writeTo(database: string, points: readonly Point[]): Promise<number> {
    let beyondRetention = 0;
    for (let start = 0; start < points.length; start += pointsPerCall) {
      const lines = points.slice(start, start + pointsPerCall).map(lineProtocol);
      beyondRetention += await writeLines(database, lines.join('\n'));
    }
    return beyondRetention;
  }

  async function writeLines(database: string, body: string): Promise<number> {
    const path = `/write?db=${encodeURIComponent(database)}&precision=ns`;
    const answer = await post(path, 'text/plain; charset=utf-8', body);
    if (answer.ok) return 0;
    const error = await answer.text();
    const beyond = beyondRetentionIn(error);
    if (beyond !== undefined) return beyond;
    throw new Error(`database ${database} did not take all points: HTTP ${answer.status}: ${error.slice(0, 300)}`);
  }
}

/**
 * How many points a refusal says were too old, when that is all it says: the others were written. The words are those of
 * InfluxDB 1 and of 2 before 2.7.12 ("points beyond retention policy dropped=4"), and those since; the status was 400,
 * 422 or 500. A point in a refusal of another kind ("field type conflict") is not too old, so that is no such refusal.
 */
function beyondRetentionIn(error: string): number | undefined {
  const [, before, since] =
    /partial write: (?:points beyond retention policy dropped=(\d+)|dropped (\d+) points outside retention policy)/.exec(
      error,
    ) ?? [];
  const count = before ?? since;
  return count === undefined ? undefined : Number(count);
}
