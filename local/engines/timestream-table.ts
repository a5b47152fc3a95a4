import { createHash } from 'node:crypto';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { type Measure, measureTypes, type TimestreamRecord, tooLarge } from './timestream-records';
import { quoted } from './timestream-sql';

/** What CreateTable and UpdateTable say of a table, as they say it. */
export interface TableDefinition {
  readonly RetentionProperties: {
    readonly MemoryStoreRetentionPeriodInHours: number;
    readonly MagneticStoreRetentionPeriodInDays: number;
  };
  readonly MagneticStoreWriteProperties: {
    readonly EnableMagneticStoreWrites: boolean;
    readonly MagneticStoreRejectedDataLocation?: any;
  };
  readonly Schema?: {
    readonly CompositePartitionKey?: readonly {
      readonly Type: string;
      readonly Name?: string;
      readonly EnforcementInRecord?: string;
    }[];
  };
}

export interface Rejected {
  readonly RecordIndex: number;
  readonly Reason: string;
  readonly ExistingVersion?: number;
}

export interface Written {
  readonly memory: number;
  readonly magnetic: number;
  readonly rejected: readonly Rejected[];
  /** Of records for the magnetic store, which reports them later and elsewhere. */
  readonly rejectedLater: readonly Rejected[];
}

interface Stored {
  readonly version: bigint;
  readonly values: string;
}

const minuteNs = 60_000_000_000n;
const hourNs = 60n * minuteNs;
const futureNs = 15n * minuteNs;

/** A table: one row per identity, with the values of the highest version, in a table of DuckDB. */
export class TimestreamTable {
  /** Dimensions and measures by name: the schema grows with what is written. */
  readonly #columns: Map<string, string>;
  readonly #rows: string;

  constructor(
    id: number,
    readonly database: string,
    readonly name: string,
    public definition: TableDefinition,
    columns: Iterable<readonly [name: string, type: string]>,
    private readonly duckdb: DuckDBConnection,
  ) {
    this.#rows = quoted(`records_${id}`);
    this.#columns = new Map(columns);
  }

  /** Makes what DuckDB must have before the first write. */
  async create(): Promise<void> {
    await this.duckdb.run(`create table if not exists ${this.#rows} (_key varchar primary key, _version bigint,
      _values varchar, time timestamp_ns, measure_name varchar)`);
  }

  async drop(): Promise<void> {
    await this.duckdb.run(`drop table ${this.#rows}`);
  }

  /** What a query reads: what the retention has not seen the end of. */
  source(nowNs: bigint): string {
    const columns = ['time', 'measure_name', ...this.#columns.keys()].map(quoted).join(', ');
    return `select ${columns} from ${this.#rows} where time >= make_timestamp_ns(${this.#oldest(nowNs)})`;
  }

  columnTypes(): ReadonlyMap<string, string> {
    return this.#columns;
  }

  async write(records: readonly TimestreamRecord[], nowNs: bigint): Promise<Written> {
    const keys = records.map(keyOf);
    const known = await this.#stored(keys);
    const changed = new Map<string, TimestreamRecord>();
    const rejected: Rejected[] = [];
    const rejectedLater: Rejected[] = [];
    let magnetic = 0;
    for (const [RecordIndex, record] of records.entries()) {
      const Reason = this.#refusal(record, nowNs);
      if (Reason !== undefined) {
        rejected.push({ RecordIndex, Reason });
        continue;
      }
      const isLate = record.time < nowNs - this.#memoryNs();
      const key = keys[RecordIndex]!;
      const existing = known.get(key);
      const values = valuesOf(record.measures);
      const isNewer = existing === undefined || record.version > existing.version;
      if (!isNewer && values !== existing.values) {
        (isLate ? rejectedLater : rejected).push(rejectedVersion(RecordIndex, record.version, existing.version));
        // The magnetic store takes a record and finds out afterwards.
        if (isLate) magnetic++;
        continue;
      }
      if (isLate) magnetic++;
      if (!isNewer) continue;
      this.#learn(record);
      known.set(key, { version: record.version, values });
      changed.set(key, record);
    }
    await this.#store(changed);
    return { memory: records.length - rejected.length - magnetic, magnetic, rejected, rejectedLater };
  }

  /** Every row, in pieces. */
  async *contents(reader: DuckDBConnection): AsyncIterable<string> {
    const result = await reader.stream(`select * from ${this.#rows}`);
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk())
      yield chunk
        .getRows()
        .map((row: DuckDBValue[]) => row.join(' '))
        .join('\n');
  }

  #refusal(record: TimestreamRecord, nowNs: bigint): string | undefined {
    const oldest = this.definition.MagneticStoreWriteProperties.EnableMagneticStoreWrites
      ? this.#oldest(nowNs)
      : nowNs - this.#memoryNs();
    if (record.time < oldest || record.time >= nowNs + futureNs)
      return `The record timestamp is outside the time range [${iso(oldest)}, ${iso(nowNs + futureNs)}) of the data ingestion window.`;
    for (const { Type, Name, EnforcementInRecord } of this.definition.Schema?.CompositePartitionKey ?? [])
      if (
        Type === 'DIMENSION' &&
        EnforcementInRecord === 'REQUIRED' &&
        !record.dimensions.some(([name]) => name === Name)
      )
        return `The record lacks the dimension ${Name}, which is a required partition key of the table.`;
    for (const [name, type] of columnsOf(record)) {
      const column = this.#columns.get(name);
      if (column !== undefined && column !== type)
        return `The column ${name} has the type ${column} already, and ${type} in the record.`;
    }
    return tooLarge(record);
  }

  #oldest(nowNs: bigint): bigint {
    const days = BigInt(this.definition.RetentionProperties.MagneticStoreRetentionPeriodInDays);
    const oldest = nowNs - days * 24n * hourNs;
    return oldest < 0n ? 0n : oldest;
  }

  #memoryNs(): bigint {
    return BigInt(this.definition.RetentionProperties.MemoryStoreRetentionPeriodInHours) * hourNs;
  }

  readonly #added: [name: string, type: string][] = [];

  #learn(record: TimestreamRecord): void {
    for (const [name, type] of columnsOf(record)) {
      if (this.#columns.has(name)) continue;
      this.#columns.set(name, type);
      this.#added.push([name, type]);
    }
  }

  async #stored(keys: readonly string[]): Promise<Map<string, Stored>> {
    const rows = await this.duckdb.runAndReadAll(
      `select _key, _version, _values from ${this.#rows}
        where _key in (select unnest(from_json($keys, '["VARCHAR"]')))`,
      { keys: JSON.stringify(keys) },
    );
    return new Map(
      (rows.getRows() as [string, bigint, string][]).map(([key, version, values]) => [key, { version, values }]),
    );
  }

  async #store(records: ReadonlyMap<string, TimestreamRecord>): Promise<void> {
    if (records.size === 0) return;
    for (const [name, type] of this.#added.splice(0))
      await this.duckdb.run(`alter table ${this.#rows} add column if not exists ${quoted(name)} ${type}`);
    const columns = [...this.#columns];
    const rows = [...records].map(([key, record]) => ({
      key,
      version: String(record.version),
      values: valuesOf(record.measures),
      time: String(record.time),
      measure: record.measureName,
      columns: Object.fromEntries([
        ...record.dimensions,
        ...record.measures.map(({ name, value }) => [name, value] as const),
      ]),
    }));
    const shape = JSON.stringify([
      {
        ...{ key: 'VARCHAR', version: 'VARCHAR', values: 'VARCHAR', time: 'VARCHAR', measure: 'VARCHAR' },
        columns: Object.fromEntries(columns.map(([name]) => [name, 'VARCHAR'])),
      },
    ]);
    const named = columns.map(([name]) => quoted(name));
    await this.duckdb.run(
      `insert or replace into ${this.#rows} (${['_key', '_version', '_values', 'time', 'measure_name', ...named].join(', ')})
        select r.key, r.version::bigint, r."values", make_timestamp_ns(r.time::bigint), r.measure${columns
          .map(([name, type]) => `, r.columns.${quoted(name)}::${type}`)
          .join('')}
        from (select unnest(from_json($rows, '${shape.replaceAll("'", "''")}')) as r)`,
      { rows: JSON.stringify(rows) },
    );
  }
}

function columnsOf({ dimensions, measures }: TimestreamRecord): [name: string, type: string][] {
  return [
    ...dimensions.map(([name]): [string, string] => [name, 'VARCHAR']),
    ...measures.map(({ name, type }): [string, string] => [name, measureTypes[type]]),
  ];
}

function keyOf({ time, measureName, dimensions }: TimestreamRecord): string {
  const identity = JSON.stringify([String(time), measureName, dimensions]);
  return createHash('sha256').update(identity).digest('base64url');
}

function valuesOf(measures: readonly Measure[]): string {
  return JSON.stringify(measures.map(({ name, type, value }) => [name, type, value]).sort());
}

function rejectedVersion(RecordIndex: number, version: bigint, existing: bigint): Rejected {
  const Reason =
    version === existing
      ? 'A record already exists with the same time, dimensions, measure name, and record version. A higher record version must be specified in order to update the measure value.'
      : `The record version ${version} is lower than the existing version ${existing}. A higher version is required to update the measure value.`;
  return { RecordIndex, Reason, ExistingVersion: Number(existing) };
}

function iso(timeNs: bigint): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString();
}
