import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { AwsError, type Engine, localAccount, localRegion } from './engine';
import { TimestreamQueries } from './timestream-query';
import { recordsOf } from './timestream-records';
import { type Rejected, type TableDefinition, TimestreamTable } from './timestream-table';

export interface TimestreamOptions {
  /** Absent: in memory. */
  readonly directory?: string;
  /** The host that endpoint discovery answers: clients go on to it by the port that they have. */
  readonly address: () => string;
  /** Puts a report of what the magnetic store did not keep into the place that its table names. */
  readonly report?: (location: { BucketName: string; Key: string }, body: string) => Promise<unknown>;
  /** Told how many records the magnetic store did not keep. */
  readonly onRejectedLater?: (database: string, table: string, count: number) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * Timestream for LiveAnalytics as far as the platform uses it, writing and querying: databases and tables, records with
 * versions in a memory and a magnetic store, and SQL over them. Here late records can be read at once; on AWS within hours.
 */
export async function openTimestream(options: TimestreamOptions): Promise<Engine> {
  const { directory } = options;
  if (directory !== undefined) await mkdir(directory, { recursive: true });
  const instance = await DuckDBInstance.create(
    directory === undefined ? ':memory:' : join(directory, 'records.duckdb'),
    { autoinstall_known_extensions: 'false', memory_limit: '1GB' },
  );
  const duckdb = await instance.connect();
  await duckdb.run(`
    create table if not exists databases (name varchar, created bigint);
    create table if not exists tables (id integer, database varchar, name varchar, definition varchar);
    create table if not exists columns (id integer, name varchar, type varchar);
    create or replace temp macro bin(moment, width) as time_bucket(width, moment::timestamp, timestamp '1970-01-01');
    create or replace temp macro from_milliseconds(count) as make_timestamp(count * 1000);
    create or replace temp macro to_milliseconds(moment) as epoch_ms(moment::timestamp)`);
  const engine = new Timestream(instance, duckdb, options);
  await engine.load();
  return engine;
}

class Timestream implements Engine {
  readonly service = 'timestream';
  readonly #databases = new Map<string, number>();
  readonly #tables = new Map<string, TimestreamTable>();
  readonly #ids = new Map<TimestreamTable, number>();
  readonly #queries: TimestreamQueries;
  readonly #now: () => number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly instance: DuckDBInstance,
    private readonly duckdb: DuckDBConnection,
    private readonly options: TimestreamOptions,
  ) {
    this.#now = options.now ?? Date.now;
    this.#queries = new TimestreamQueries(duckdb, this.#now, ({ database, table }) =>
      this.#table(database, table).source(this.#nowNs()),
    );
  }

  async load(): Promise<void> {
    const read = async (sql: string) => (await this.duckdb.runAndReadAll(sql)).getRows() as any[][];
    for (const [name, created] of await read('select name, created from databases'))
      this.#databases.set(name, Number(created));
    for (const [id, database, name, definition] of await read('select * from tables')) {
      const columns = await read(`select name, type from columns where id = ${id}`);
      this.#add(id, database, name, JSON.parse(definition), columns as [string, string][]);
    }
  }

  /** One at a time: a connection of DuckDB runs no two, and a write reads before it writes. */
  call(operation: string, input: any): Promise<any> {
    const work = () => this.#run(operation, input);
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => {});
    return next;
  }

  async #run(operation: string, input: any): Promise<any> {
    switch (operation) {
      case 'DescribeEndpoints':
        return { Endpoints: [{ Address: this.options.address(), CachePeriodInMinutes: 1_440 }] };
      case 'CreateDatabase':
        return this.#createDatabase(checkedName(input.DatabaseName, 'DatabaseName'));
      case 'DescribeDatabase':
        return { Database: this.#describedDatabase(input.DatabaseName) };
      case 'DeleteDatabase':
        return this.#deleteDatabase(input.DatabaseName);
      case 'CreateTable':
        return this.#createTable(input);
      case 'UpdateTable':
        return this.#updateTable(input);
      case 'DescribeTable':
        return { Table: described(this.#table(input.DatabaseName, input.TableName)) };
      case 'DeleteTable':
        return this.#deleteTable(this.#table(input.DatabaseName, input.TableName));
      case 'WriteRecords':
        return this.#writeRecords(input);
      case 'Query':
        return this.#queries.run(input);
      default:
        throw new AwsError('UnknownOperationException', `Timestream's ${operation} is not modelled locally`);
    }
  }

  async *contents(): AsyncIterable<{ readonly where: string; readonly text: string }> {
    yield { where: 'timestream', text: [...this.#databases.keys()].join('\n') };
    // A connection of its own, since whoever reads this may take their time between two pieces.
    const reader = await this.instance.connect();
    for (const table of this.#tables.values())
      for await (const text of table.contents(reader)) yield { where: `${table.database}.${table.name}`, text };
    reader.closeSync();
  }

  async close(): Promise<void> {
    await this.#last;
    this.duckdb.closeSync();
    this.instance.closeSync();
  }

  async #createDatabase(name: string): Promise<any> {
    if (this.#databases.has(name)) throw conflict(`The database ${name} already exists.`);
    this.#databases.set(name, this.#now());
    await this.duckdb.run(`insert into databases values ($name, ${this.#now()})`, { name });
    return { Database: this.#describedDatabase(name) };
  }

  async #deleteDatabase(name: string): Promise<void> {
    this.#database(name);
    if (this.#tablesOf(name) > 0) throw invalid(`The database ${name} has tables: delete them first.`);
    this.#databases.delete(name);
    await this.duckdb.run('delete from databases where name = $name', { name });
  }

  async #createTable(input: any): Promise<any> {
    const name = checkedName(input.TableName, 'TableName');
    this.#database(input.DatabaseName);
    const key = `${input.DatabaseName}.${name}`;
    if (this.#tables.has(key)) throw conflict(`The table ${name} already exists.`);
    const definition = definitionOf(input);
    const id = Math.max(0, ...this.#ids.values()) + 1;
    const table = this.#add(id, input.DatabaseName, name, definition, []);
    await table.create();
    await this.duckdb.run(`insert into tables values (${id}, $database, $name, $definition)`, {
      database: input.DatabaseName,
      name,
      definition: JSON.stringify(definition),
    });
    return { Table: described(table) };
  }

  async #updateTable(input: any): Promise<any> {
    const table = this.#table(input.DatabaseName, input.TableName);
    table.definition = definitionOf({ ...table.definition, ...input });
    await this.duckdb.run(`update tables set definition = $definition where id = ${this.#ids.get(table)}`, {
      definition: JSON.stringify(table.definition),
    });
    return { Table: described(table) };
  }

  async #deleteTable(table: TimestreamTable): Promise<void> {
    const id = this.#ids.get(table);
    await table.drop();
    await this.duckdb.run(`delete from tables where id = ${id}; delete from columns where id = ${id}`);
    this.#tables.delete(`${table.database}.${table.name}`);
    this.#ids.delete(table);
  }

  async #writeRecords(input: any): Promise<any> {
    const table = this.#table(input.DatabaseName, input.TableName);
    const records = recordsOf(input);
    const known = new Set(table.columnTypes().keys());
    const { memory, magnetic, rejected, rejectedLater } = await table.write(records, this.#nowNs());
    for (const [name, type] of table.columnTypes())
      if (!known.has(name))
        await this.duckdb.run(`insert into columns values (${this.#ids.get(table)}, $name, $type)`, { name, type });
    if (rejectedLater.length > 0) await this.#reportLater(table, input.Records, rejectedLater);
    if (rejected.length > 0)
      throw new AwsError(
        'RejectedRecordsException',
        'One or more records have been rejected. See RejectedRecords for details.',
        419,
        { RejectedRecords: rejected },
      );
    return { RecordsIngested: { Total: memory + magnetic, MemoryStore: memory, MagneticStore: magnetic } };
  }

  async #reportLater(table: TimestreamTable, records: readonly unknown[], rejected: readonly Rejected[]) {
    this.options.onRejectedLater?.(table.database, table.name, rejected.length);
    const { MagneticStoreRejectedDataLocation: place } = table.definition.MagneticStoreWriteProperties;
    const { BucketName, ObjectKeyPrefix = '' } = place?.S3Configuration ?? {};
    if (BucketName === undefined) return;
    const Key = `${ObjectKeyPrefix}${table.database}/${table.name}/${randomUUID()}.json`;
    const body = rejected.map(({ RecordIndex, ...why }) => ({ ...why, record: records[RecordIndex] }));
    await this.options.report?.({ BucketName, Key }, JSON.stringify({ errors: body }));
  }

  #add(
    id: number,
    database: string,
    name: string,
    definition: TableDefinition,
    columns: readonly (readonly [string, string])[],
  ): TimestreamTable {
    const table = new TimestreamTable(id, database, name, definition, columns, this.duckdb);
    this.#tables.set(`${database}.${name}`, table);
    this.#ids.set(table, id);
    return table;
  }

  #database(name: string): void {
    if (!this.#databases.has(name)) throw notFound(`The database ${name} does not exist.`);
  }

  #table(database: string, name: string): TimestreamTable {
    this.#database(database);
    const found = this.#tables.get(`${database}.${name}`);
    if (found === undefined) throw notFound(`The table ${name} does not exist.`);
    return found;
  }

  #tablesOf(database: string): number {
    return [...this.#tables.values()].filter((table) => table.database === database).length;
  }

  #describedDatabase(DatabaseName: string) {
    this.#database(DatabaseName);
    const created = this.#databases.get(DatabaseName)! / 1_000;
    return {
      Arn: arn(`database/${DatabaseName}`),
      DatabaseName,
      TableCount: this.#tablesOf(DatabaseName),
      CreationTime: created,
      LastUpdatedTime: created,
    };
  }

  #nowNs(): bigint {
    return BigInt(this.#now()) * 1_000_000n;
  }
}

const arn = (resource: string) => `arn:aws:timestream:${localRegion}:${localAccount}:${resource}`;

function described({ database, name, definition }: TimestreamTable) {
  return {
    Arn: arn(`database/${database}/table/${name}`),
    DatabaseName: database,
    TableName: name,
    TableStatus: 'ACTIVE',
    ...definition,
  };
}

/** What a table is made with, and what AWS takes where nothing is said. */
function definitionOf({ RetentionProperties = {}, MagneticStoreWriteProperties, Schema }: any): TableDefinition {
  const { MemoryStoreRetentionPeriodInHours = 6, MagneticStoreRetentionPeriodInDays = 73_000 } = RetentionProperties;
  const within = (value: unknown, member: string, most: number): number => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= 1 && number <= most) return number;
    throw invalid(`${member}: got ${value}, allowed: 1 to ${most}`);
  };
  return {
    RetentionProperties: {
      MemoryStoreRetentionPeriodInHours: within(
        MemoryStoreRetentionPeriodInHours,
        'MemoryStoreRetentionPeriodInHours',
        8_766,
      ),
      MagneticStoreRetentionPeriodInDays: within(
        MagneticStoreRetentionPeriodInDays,
        'MagneticStoreRetentionPeriodInDays',
        73_000,
      ),
    },
    MagneticStoreWriteProperties: MagneticStoreWriteProperties ?? { EnableMagneticStoreWrites: false },
    ...(Schema === undefined ? {} : { Schema }),
  };
}

function checkedName(name: unknown, member: string): string {
  if (typeof name === 'string' && /^[a-zA-Z0-9_.-]{3,256}$/.test(name)) return name;
  throw invalid(`${member}: got '${name}', allowed: 3 to 256 letters, digits, _, . and -`);
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

function notFound(message: string): AwsError {
  return new AwsError('ResourceNotFoundException', message, 404);
}

function conflict(message: string): AwsError {
  return new AwsError('ConflictException', message, 409);
}
