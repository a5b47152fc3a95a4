import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';
import { type FieldType, type Point, parseKey, parseLines } from './influxdb-line';
import { Measurement } from './influxdb-measurement';
import { WriteAheadLog } from './write-ahead-log';

/** Line protocol as it was sent. */
export interface Lines {
  readonly text: string;
  /** The unit of its times. */
  readonly nanoseconds: bigint;
  /** The time of points that have none. */
  readonly now: bigint;
}

/** Points that a write did not keep: InfluxDB keeps the others and says so. */
export interface Dropped {
  readonly count: number;
  readonly reason: string;
}

/** A point that is older than its bucket keeps points. */
export interface Expired {
  readonly key: string;
  readonly time: bigint;
}

// A flush costs some milliseconds whatever it holds, so it waits for this many points, or for someone who wants to read.
const flushPoints = 20_000;

/**
 * Points in a DuckDB file: per measurement a table of points and one of series, so that tags are stored once. Writes are
 * buffered; a flush merges them, so the tables hold one row per series and time, with the last value of each field.
 */
export class PointStore {
  private readonly buckets = new Map<string, Map<string, Measurement>>();
  private readonly keys = new Set<string>();
  private buffered = 0;
  private measurementCount = 0;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly duckdb: DuckDBConnection,
    /** What is buffered: a write that was answered is not lost with this process. Written twice, a point is the same. */
    private readonly log: WriteAheadLog,
  ) {}

  static async open(directory: string): Promise<PointStore> {
    await mkdir(directory, { recursive: true });
    const instance = await DuckDBInstance.create(join(directory, 'points.duckdb'), {
      autoinstall_known_extensions: 'false',
      memory_limit: '1GB',
    });
    const duckdb = await instance.connect();
    await duckdb.run(`
      create table if not exists measurements (id integer, bucket varchar, name varchar);
      create table if not exists fields (measurement integer, position integer, name varchar, type varchar);
      create table if not exists tags (measurement integer, position integer, name varchar)`);
    const store = new PointStore(instance, duckdb, new WriteAheadLog(join(directory, 'points.log')));
    await store.load();
    for (const entry of store.log.entries()) {
      const { bucket, text, nanoseconds, now, oldest } = JSON.parse(entry);
      const points = parseLines(text, BigInt(now), BigInt(nanoseconds));
      store.take(bucket, points, oldest === undefined ? undefined : BigInt(oldest));
    }
    return store;
  }

  /** Takes points into a bucket; those before `oldest` are left out and answered. Waits only where a buffer is full. */
  async write(
    bucket: string,
    { text, nanoseconds, now }: Lines,
    oldest: bigint | undefined,
  ): Promise<{ dropped?: Dropped; expired: Expired[] }> {
    const points = parseLines(text, now, nanoseconds);
    // A key that can't be read refuses the whole write, so every new key is read before any point is taken.
    for (const { key } of points) {
      if (this.keys.has(key)) continue;
      parseKey(key);
      this.keys.add(key);
    }
    const [unit, at, bound] = [nanoseconds, now, oldest].map((time) => time?.toString());
    this.log.append(JSON.stringify({ bucket, text, nanoseconds: unit, now: at, oldest: bound }));
    const taken = this.take(bucket, points, oldest);
    if (this.buffered >= flushPoints) await this.flush();
    return taken;
  }

  /** The measurements of a bucket, by name. */
  measurements(bucket: string): Measurement[] {
    return [...(this.buckets.get(bucket)?.values() ?? [])].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** The rows of a query, which sees everything written before it. */
  async rows(sql: string): Promise<DuckDBValue[][]> {
    await this.flush();
    return this.exclusively(async () => (await this.duckdb.runAndReadAll(sql)).getRows());
  }

  async flush(): Promise<void> {
    await this.exclusively(async () => {
      if (this.buffered === 0) return;
      const forget = this.log.cut();
      this.buffered = 0;
      // All or nothing: half of a schema could not be read again.
      await this.duckdb.run('begin');
      for (const measurements of this.buckets.values()) {
        for (const measurement of measurements.values()) await measurement.flush(this.duckdb);
      }
      await this.duckdb.run('commit');
      forget();
    });
  }

  /** Every series and every point, as text. */
  async *contents(): AsyncIterable<{ where: string; text: string }> {
    await this.flush();
    for (const [bucket, measurements] of this.buckets) {
      for (const { name, series, seriesKey, fields, pointsTable } of measurements.values()) {
        const where = `${bucket}/${name}`;
        yield { where, text: [name, ...fields.keys(), ...series.map(seriesKey)].join('\n') };
        // A connection of its own, since whoever reads this may take their time between two pieces.
        const reader = await this.instance.connect();
        const result = await reader.stream(`select * from ${pointsTable}`);
        for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
          yield {
            where,
            text: chunk
              .getRows()
              .map((row) => row.join(' '))
              .join('\n'),
          };
        }
        reader.closeSync();
      }
    }
  }

  async close(): Promise<void> {
    await this.flush();
    this.log.close();
    await this.exclusively(async () => {
      this.duckdb.closeSync();
      this.instance.closeSync();
    });
  }

  /** Buffers points. */
  private take(
    bucket: string,
    points: readonly Point[],
    oldest: bigint | undefined,
  ): { dropped?: Dropped; expired: Expired[] } {
    const expired: Expired[] = [];
    let dropped = 0;
    let reason = '';
    for (const point of points) {
      if (oldest !== undefined && point.time < oldest) {
        expired.push(point);
        continue;
      }
      const problem = this.add(bucket, point);
      if (problem === undefined) continue;
      dropped++;
      reason ||= problem;
    }
    return { ...(dropped > 0 && { dropped: { count: dropped, reason } }), expired };
  }

  /** Buffers one point, or says why it can't be kept. */
  private add(bucket: string, point: Point): string | undefined {
    const measurements = this.buckets.get(bucket) ?? new Map<string, Measurement>();
    if (measurements.size === 0) this.buckets.set(bucket, measurements);
    const name = measurementName(point.key);
    let measurement = measurements.get(name);
    if (measurement === undefined) {
      measurement = new Measurement(++this.measurementCount, bucket, name);
      measurements.set(name, measurement);
    }
    const problem = measurement.add(point);
    if (problem === undefined) this.buffered++;
    return problem;
  }

  /** One statement at a time: a DuckDB connection runs no two. */
  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work, work);
    this.last = next.catch(() => {});
    return next;
  }

  private async load(): Promise<void> {
    const read = async (sql: string) => (await this.duckdb.runAndReadAll(sql)).getRows();
    for (const [id, bucket, name] of (await read('select id, bucket, name from measurements order by id')) as [
      number,
      string,
      string,
    ][]) {
      const measurement = new Measurement(id, bucket, name);
      const fields = await read(`select name, type from fields where measurement = ${id} order by position`);
      const tags = (await read(`select name from tags where measurement = ${id} order by position`)) as [string][];
      measurement.restore(
        fields as [string, FieldType][],
        tags.map(([tag]) => tag),
        (await read(`select * from ${measurement.seriesTable} order by series`)) as [number, ...string[]][],
      );
      this.measurementCount = Math.max(this.measurementCount, id);
      const measurements = this.buckets.get(bucket) ?? new Map<string, Measurement>();
      this.buckets.set(bucket, measurements.set(name, measurement));
    }
  }
}

/** The unescaped name of a key's measurement. */
function measurementName(key: string): string {
  const comma = key.indexOf(',');
  if (!key.includes('\\')) return comma < 0 ? key : key.slice(0, comma);
  return parseKey(key).measurement;
}
