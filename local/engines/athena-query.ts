import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import {
  type AthenaCalls,
  columnsOf,
  filesOf,
  injectedColumns,
  partitionColumnsOf,
  split,
  storedViewOf,
  type TableColumn,
  type TableFile,
  viewTable,
} from './athena-catalog';
import { type ResultColumn, resultColumns, textsOf } from './athena-results';
import { athenaFunctions, readStatement, type Statement, tablesIn } from './athena-statement';
import type { GlueTable } from './glue';
import { RefusedSql } from './redshift-tokens';

/** What a query has read. */
export interface Scanned {
  readonly bytes: number;
  /** Objects, as s3://bucket/key. */
  readonly files: readonly string[];
}

export interface QueryResult {
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly (string | null)[])[];
}

export interface QueryOptions {
  readonly sql: string;
  readonly parameters: readonly string[];
  readonly database: string | undefined;
  readonly bytesScannedCutoff: number | undefined;
  /** Services, asked in the name of the caller. */
  readonly call: AthenaCalls;
  /** Where an object of the local S3 lies. */
  readonly fileOf: (bucket: string, key: string) => string;
  readonly now: Date;
}

/** The query would read more than its workgroup lets it. */
export class TooMuchScanned extends Error {}

interface Table {
  readonly name: string;
  readonly columns: readonly TableColumn[];
  readonly partitions: readonly TableColumn[];
  readonly injected: readonly string[];
  /** Objects by the path under which DuckDB reads them. */
  readonly files: ReadonlyMap<string, TableFile>;
  /** A file without rows that has the table's columns, in a partition that sorts before (or behind) all others. */
  readonly empty: readonly string[];
}

const ends = ['\u0001', '~~~~'];

/**
 * Off while a query is planned: the first two leave plans that DuckDB cannot write down, the others draw conclusions from
 * the contents of files, when those of the table are not all known yet.
 */
const disabledForPlan = 'column_lifetime,top_n_window_elimination,statistics_propagation,row_group_pruner';

/** One statement on DuckDB, over the very files that the catalog's tables have in S3. */
export class Query {
  private readonly folder = mkdtempSync(join(tmpdir(), 'tillstream-athena-'));
  private readonly tables = new Map<string, Table>();
  private readonly views = new Map<string, Map<string, string>>();
  private duckdb: DuckDBConnection | undefined;
  private stopped = false;

  constructor(private readonly options: QueryOptions) {}

  /** Runs it. `scans` is told what is about to be read, before it is. */
  async run(scans: (scanned: Scanned) => void): Promise<QueryResult> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: '1',
      memory_limit: '1GB',
      temp_directory: this.folder,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const duckdb = await instance.connect();
    this.duckdb = duckdb;
    try {
      const settings = [...athenaFunctions, "ATTACH ':memory:' AS awsdatacatalog", 'USE awsdatacatalog'];
      await duckdb.run(settings.join(';'));
      const { query, unloadTo, view } = readStatement(this.options.sql, this.options.parameters);
      const { database } = this.options;
      if (database !== undefined) await this.useDatabase(database);
      for (const { database: named, table } of await tablesIn(duckdb, query))
        await this.define(named ?? database, table);
      // A view reads nothing until it is read itself.
      if (view !== undefined) return await this.createView(query, view);
      const scanned = await this.narrow(query);
      scans(scanned);
      const { bytesScannedCutoff: cutoff } = this.options;
      if (cutoff !== undefined && scanned.bytes > cutoff) throw new TooMuchScanned('Bytes scanned limit was exceeded');
      await this.checkViews();
      this.throwIfStopped();
      return unloadTo === undefined ? await this.select(query) : await this.unload(query, unloadTo);
    } finally {
      duckdb.closeSync();
      instance.closeSync();
      this.duckdb = undefined;
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  stop(): void {
    this.stopped = true;
    this.duckdb?.interrupt();
  }

  private throwIfStopped(): void {
    if (this.stopped) throw new Error('the query was stopped');
  }

  private async useDatabase(database: string): Promise<void> {
    await this.options.call('glue', 'GetDatabase', { Name: database });
    await this.duckdb!.run(`CREATE SCHEMA IF NOT EXISTS awsdatacatalog.${quote(database.toLowerCase())}`);
    await this.duckdb!.run(`USE awsdatacatalog.${quote(database.toLowerCase())}`);
  }

  /** Makes a table or view of the catalog known to DuckDB, and what it rests on before it. */
  private async define(database: string | undefined, name: string): Promise<void> {
    if (database === undefined)
      throw new RefusedSql(`SCHEMA_NOT_SPECIFIED: Schema must be specified when session schema is not set: ${name}`);
    const known = `${database.toLowerCase()}.${name}`;
    if (this.tables.has(known) || this.views.has(known)) return;
    const glueTable = await this.glueTable(database, name);
    await this.duckdb!.run(`CREATE SCHEMA IF NOT EXISTS awsdatacatalog.${quote(database.toLowerCase())}`);
    const view = storedViewOf(glueTable);
    if (view === undefined) {
      const table = await this.lay(glueTable, known);
      this.tables.set(known, table);
      await this.createTable(table, [...table.files.keys()], false);
      return;
    }
    const { query } = readStatement(view.originalSql);
    for (const one of await tablesIn(this.duckdb!, query)) await this.define(one.database ?? view.schema, one.table);
    this.views.set(known, new Map(view.columns.map((column) => [column.name, column.type])));
    await this.duckdb!.run(`USE awsdatacatalog.${quote(view.schema)}`);
    await this.duckdb!.run(`CREATE VIEW ${qualified(known)} AS ${query}`);
    if (this.options.database !== undefined) await this.useDatabase(this.options.database);
  }

  private async glueTable(database: string, name: string): Promise<GlueTable> {
    try {
      return (await this.options.call('glue', 'GetTable', { DatabaseName: database, Name: name })).Table;
    } catch (error) {
      if ((error as { code?: string }).code !== 'EntityNotFoundException') throw error;
      throw new RefusedSql(`TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.${database}.${name}' does not exist`);
    }
  }

  /** Lays a table's files out as DuckDB finds partitions: by links in folders that are named after them. */
  private async lay(glueTable: GlueTable, name: string): Promise<Table> {
    const root = join(this.folder, String(this.tables.size));
    const partitions = partitionColumnsOf(glueTable);
    const place = (partition: Readonly<Record<string, string>>, file: string) => {
      const folder = join(root, ...partitions.map((key) => `${key.name}=${encodeURIComponent(partition[key.name]!)}`));
      mkdirSync(folder, { recursive: true });
      return join(folder, file);
    };
    const columns = columnsOf(glueTable);
    const nothing = columns.map((column) => `CAST(NULL AS ${column.type}) AS ${quote(column.name)}`).join(', ');
    const injected = injectedColumns(glueTable);
    // Both ends only where a range must be told from given values.
    const empty = (injected.length === 0 ? ends.slice(0, 1) : ends).map((end) =>
      place(Object.fromEntries(partitions.map((key) => [key.name, end])), `empty-${end.length}.parquet`),
    );
    for (const file of empty)
      await this.duckdb!.run(`COPY (SELECT ${nothing} WHERE false) TO ${literal(file)} (FORMAT parquet)`);
    const files = new Map<string, TableFile>();
    for (const file of await filesOf(glueTable, this.options.call, this.options.now)) {
      const link = place(file.partition, `${files.size}.parquet`);
      symlinkSync(this.fileOf(file), link);
      files.set(link, file);
    }
    return { name, columns, partitions, injected, files, empty };
  }

  private fileOf({ bucket, key }: TableFile): string {
    try {
      return this.options.fileOf(bucket, key);
    } catch {
      throw new RefusedSql(`HIVE_CANNOT_OPEN_SPLIT: s3://${bucket}/${key} does not exist`);
    }
  }

  /**
   * A table as a view of files. Columns go by name, and a file that lacks one has nulls there, as in Athena; for that
   * DuckDB opens every file, so it is done only when those that the query needs are known.
   */
  private async createTable(table: Table, links: readonly string[], byName: boolean): Promise<void> {
    const files = [...table.empty, ...links].map(literal).join(', ');
    const types = table.partitions.map((key) => `${literal(key.name)}: VARCHAR`).join(', ');
    const hive = table.partitions.length === 0 ? 'false' : `true, hive_types = {${types}}`;
    const source = `read_parquet([${files}], union_by_name = ${byName}, hive_partitioning = ${hive})`;
    const names = [...table.columns, ...table.partitions].map((column) => quote(column.name)).join(', ');
    if (byName) await this.checkTypes(table, source);
    await this.duckdb!.run(`CREATE OR REPLACE VIEW ${qualified(table.name)} AS SELECT ${names} FROM ${source}`);
  }

  private async checkTypes(table: Table, source: string): Promise<void> {
    const reader = await this.duckdb!.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
    const found = new Map(reader.getRows().map(([name, type]) => [String(name), String(type)]));
    for (const { name, type } of table.columns)
      if (found.get(name) !== type)
        throw new RefusedSql(
          `HIVE_BAD_DATA: Field ${name}'s type ${found.get(name)} in a Parquet file of ${table.name} is incompatible with type ${type} defined in table schema`,
        );
  }

  /** Finds out what the query must read, once DuckDB has planned it over all files, and leaves its tables no more than that. */
  private async narrow(query: string): Promise<Scanned> {
    await this.duckdb!.run(`SET disabled_optimizers = '${disabledForPlan}'`);
    const reader = await this.duckdb!.runAndReadAll(`SELECT json_serialize_plan(${literal(query)}, optimize := true)`);
    await this.duckdb!.run('RESET disabled_optimizers');
    const plan = JSON.parse(String(reader.getRows()[0]![0]));
    if (plan.error) throw new RefusedSql(syntaxError(plan.error_message));
    const reads = [...readsIn(plan.plans)];
    const files = new Set<string>();
    let bytes = 0;
    for (const table of this.tables.values()) {
      const ofTable = reads.filter((read) =>
        read.files.some((file) => table.files.has(file) || table.empty.includes(file)),
      );
      const needed = new Map<string, Set<string>>();
      for (const read of ofTable) {
        if (table.injected.length > 0 && read.files.some((file) => table.empty.includes(file)))
          throw new RefusedSql(
            `CONSTRAINT_VIOLATION: For the injected projected partition column ${table.injected[0]}, the WHERE clause must contain only static equality conditions, and at least one such condition must be present.`,
          );
        for (const file of read.files.filter((one) => table.files.has(one))) {
          const columns = needed.get(file) ?? new Set();
          for (const column of read.columns) columns.add(column);
          needed.set(file, columns);
        }
      }
      bytes += await this.bytesOf(needed);
      for (const file of needed.keys()) files.add(file);
      for (const file of needed.keys()) await this.open(table.files.get(file)!);
      await this.createTable(table, [...needed.keys()], true);
    }
    const all = new Map([...this.tables.values()].flatMap((table) => [...table.files]));
    return { bytes, files: [...files].map((file) => `s3://${all.get(file)!.bucket}/${all.get(file)!.key}`) };
  }

  /** Asks S3 for the beginning of an object: whether the caller may read it, and whether it is Parquet. */
  private async open({ bucket, key }: TableFile): Promise<void> {
    this.throwIfStopped();
    const { Body } = await this.options.call('s3', 'GetObject', { Bucket: bucket, Key: key, Range: 'bytes=0-3' });
    if (Buffer.from(Body).toString('latin1') !== 'PAR1')
      throw new RefusedSql(`HIVE_BAD_DATA: Not valid Parquet file: s3://${bucket}/${key}`);
  }

  /** The bytes of the columns that are read, which is what Athena counts of Parquet. */
  private async bytesOf(needed: ReadonlyMap<string, ReadonlySet<string>>): Promise<number> {
    if (needed.size === 0) return 0;
    const files = [...needed.keys()].map(literal).join(', ');
    const reader = await this.duckdb!.runAndReadAll(
      `SELECT file_name, path_in_schema, SUM(total_compressed_size) FROM parquet_metadata([${files}]) GROUP BY ALL`,
    );
    return reader
      .getRows()
      .filter(([file, column]) => needed.get(String(file))?.has(String(column)))
      .reduce((sum, [, , bytes]) => sum + Number(bytes), 0);
  }

  /** A view whose query no longer gives what the catalog says of it is refused until it is made again. */
  private async checkViews(): Promise<void> {
    for (const [name, declared] of this.views) {
      const columns = resultColumns(await this.describe(`SELECT * FROM ${qualified(name)}`));
      const found = columns.map((column) => `${column.name} ${column.type}`);
      const expected = [...declared].map(([column, type]) => `${column} ${type.replace(/\(.*\)$/, '')}`);
      if (found.join(', ') !== expected.join(', '))
        throw new RefusedSql(
          `INVALID_VIEW: line 1:1: View 'awsdatacatalog.${name}' is stale or in invalid state: it has ${found.join(', ')}; the catalog says ${expected.join(', ')}`,
        );
    }
  }

  private async describe(query: string): Promise<{ name: string; type: string }[]> {
    const reader = await this.duckdb!.runAndReadAll(`DESCRIBE ${query}`);
    return reader.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  }

  private async select(query: string): Promise<QueryResult> {
    const columns = resultColumns(await this.describe(query));
    const reader = await this.duckdb!.runAndReadAll(query);
    return { columns, rows: reader.getRows().map((row) => textsOf(row, columns)) };
  }

  /** Puts a view into the catalog as Presto writes it there. */
  private async createView(query: string, view: NonNullable<Statement['view']>): Promise<QueryResult> {
    const database = view.database ?? this.options.database;
    if (database === undefined) throw new RefusedSql('SCHEMA_NOT_SPECIFIED: Schema must be specified');
    const columns = resultColumns(await this.describe(query));
    const TableInput = viewTable({ name: view.table, database, query: view.originalSql, columns });
    const exists = await this.glueTable(database, view.table).then(
      () => true,
      (error) => {
        if (error instanceof RefusedSql) return false;
        throw error;
      },
    );
    await this.options.call('glue', exists ? 'UpdateTable' : 'CreateTable', { DatabaseName: database, TableInput });
    return { columns: [], rows: [] };
  }

  private async unload(query: string, location: string): Promise<QueryResult> {
    const [bucket, prefix] = split(location);
    const { KeyCount } = await this.options.call('s3', 'ListObjectsV2', { Bucket: bucket, Prefix: prefix, MaxKeys: 1 });
    if (KeyCount > 0) throw new RefusedSql(`HIVE_PATH_ALREADY_EXISTS: Target directory already exists: ${location}`);
    // DuckDB's sums are wider than Athena's, and Parquet has no such whole number.
    const selected = (await this.describe(query)).map(({ name, type }) =>
      type === 'HUGEINT' ? `CAST(${quote(name)} AS BIGINT) AS ${quote(name)}` : quote(name),
    );
    const file = join(this.folder, 'unloaded.parquet');
    const reader = await this.duckdb!.runAndReadAll(
      `COPY (SELECT ${selected.join(', ')} FROM (${query}) AS unloaded) TO ${literal(file)} (FORMAT parquet, COMPRESSION snappy)`,
    );
    const count = Number(reader.getRows()[0]?.[0] ?? 0);
    if (count > 0)
      await this.options.call('s3', 'PutObject', {
        Bucket: bucket,
        Key: `${prefix}${randomUUID()}`,
        Body: readFileSync(file),
      });
    return { columns: [{ name: 'rows', type: 'bigint' }], rows: [[String(count)]] };
  }
}

interface Read {
  readonly files: readonly string[];
  readonly columns: readonly string[];
}

/** The reads of Parquet files in a plan, each with the files that its filters leave. */
function* readsIn(node: any): Generator<Read> {
  if (Array.isArray(node)) {
    for (const element of node) yield* readsIn(element);
  } else if (typeof node === 'object' && node !== null) {
    if (node.type === 'LOGICAL_GET' && node.name === 'read_parquet')
      yield {
        files: node.function_data.files,
        columns: node.column_indexes.flatMap(({ index }: { index: number }) => node.names[index] ?? []),
      };
    for (const value of Object.values(node)) yield* readsIn(value);
  }
}

/** DuckDB's words for what is wrong with a query, in Athena's frame. */
export function syntaxError(message: string): string {
  return /^[A-Z_]{6,}: /.test(message) ? message : `SYNTAX_ERROR: line 1:1: ${message.split('\n')[0]}`;
}

function qualified(name: string): string {
  return `awsdatacatalog.${name.split('.').map(quote).join('.')}`;
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
