import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { RefusedSql } from './redshift-tokens';
import type { CopyCommand } from './redshift-translate';

/** Where COPY finds its files. */
export interface Lake {
  /** Calls S3 as a role, so that the role's own policies decide. */
  readonly s3: (roleArn: string, operation: string, input: any) => Promise<any>;
  /** The file in which an object of the local S3 lies. */
  readonly fileOf: (bucket: string, key: string) => string;
}

interface ListedObject {
  readonly url: string;
  readonly file: string;
}

interface Column {
  readonly name: string;
  readonly type: string;
}

/**
 * Runs COPY within the client's transaction: of Parquet DuckDB hands the rows to PostgreSQL, CSV that is packed goes there
 * as it is.
 */
export class ManifestCopy {
  private duckdb: Promise<DuckDBConnection> | undefined;

  constructor(private readonly lake: Lake) {}

  /** Loads what the manifest lists; answers the number of rows. */
  async run(client: PoolClient, copy: CopyCommand, roleArn: string): Promise<number> {
    const columns = await readColumns(client, copy);
    const objects = await this.readManifest(copy, roleArn);
    if (copy.format === 'csv') return copyCsv(client, copy, columns, objects);
    const folder = await mkdtemp(join(tmpdir(), 'tillstream-copy-'));
    try {
      let rows = 0;
      for (const { csv, filled } of await this.toCsv(objects, columns, folder, copy.fillRecord)) {
        const names = filled.map(({ name }) => quote(name)).join(', ');
        const stream = client.query(copyFrom(`copy ${copy.table} (${names}) from stdin (format csv)`));
        await pipeline(createReadStream(csv), stream);
        rows += stream.rowCount ?? 0;
      }
      return rows;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  private async readManifest({ manifest: url, format }: CopyCommand, roleArn: string): Promise<ListedObject[]> {
    const { Body } = await this.ask(roleArn, 'GetObject', url);
    let entries: { url: string; mandatory?: boolean; meta?: { content_length?: number } }[];
    try {
      ({ entries } = JSON.parse(Buffer.from(Body).toString()));
      if (!Array.isArray(entries)) throw new Error('entries is missing');
    } catch (error) {
      throw new RefusedSql(`The manifest file ${url} is not in the expected format: ${(error as Error).message}`);
    }
    const objects = await Promise.all(
      entries.map(async ({ url: source, mandatory, meta }) => {
        const expected = meta?.content_length;
        if (expected === undefined && format === 'parquet')
          throw new RefusedSql(`manifest entry ${source} has no meta.content_length, which Parquet needs`);
        try {
          // The right to read it is what S3 checks here; the bytes are read from the file.
          const { ContentLength } = await this.ask(roleArn, 'HeadObject', source);
          if (expected !== undefined && ContentLength !== expected) {
            throw new RefusedSql(
              `${source} has ${ContentLength} bytes, but meta.content_length of the manifest says ${expected}`,
            );
          }
        } catch (error) {
          if (mandatory !== true && (error as { missing?: boolean }).missing) return [];
          throw error;
        }
        return [{ url: source, file: this.lake.fileOf(...split(source)) }];
      }),
    );
    return objects.flat();
  }

  private async ask(roleArn: string, operation: string, url: string): Promise<any> {
    const [Bucket, Key] = split(url);
    try {
      return await this.lake.s3(roleArn, operation, { Bucket, Key });
    } catch (cause) {
      const { code, message, statusCode } = cause as { code?: string; message?: string; statusCode?: number };
      const error = new RefusedSql(`S3ServiceException:${message},Status ${statusCode},Error ${code} (${url})`);
      // HEAD has no body, hence no code but that of its status.
      throw Object.assign(error, { missing: statusCode === 404 });
    }
  }

  /** Checks every file against the table and writes the rows as CSV, one file for those that look alike. */
  private async toCsv(
    objects: ListedObject[],
    columns: Column[],
    folder: string,
    fillRecord: boolean,
  ): Promise<{ csv: string; filled: Column[] }[]> {
    this.duckdb ??= openDuckdb();
    const duckdb = await this.duckdb;
    const alike = new Map<string, { files: string[]; url: string; found: Column[] }>();
    for (const { url, file } of objects) {
      const found = await describe(duckdb, file, url);
      const shape = JSON.stringify(found);
      if (!alike.has(shape)) checkShape(found, columns, url, fillRecord);
      const group = alike.get(shape) ?? { files: [], url, found };
      group.files.push(file);
      alike.set(shape, group);
    }
    const written: { csv: string; filled: Column[] }[] = [];
    for (const { files, url, found } of alike.values()) {
      const source = `read_parquet([${files.map(literal).join(', ')}], hive_partitioning = false)`;
      // What a file lacks at its end is left to be null.
      const filled = columns.slice(0, found.length);
      await checkLengths(duckdb, source, found, filled, url);
      const csv = join(folder, `${written.length}.csv`);
      const selected = found.map(({ name, type }) =>
        type === 'TIMESTAMP WITH TIME ZONE' ? `${quote(name)} at time zone 'UTC'` : quote(name),
      );
      await duckdb.run(
        `copy (select ${selected.join(', ')} from ${source}) to ${literal(csv)} (format csv, header false)`,
      );
      written.push({ csv, filled });
    }
    return written;
  }
}

/** Empty cells are null, in strings too, as EMPTYASNULL has it. */
async function copyCsv(client: PoolClient, copy: CopyCommand, columns: Column[], objects: ListedObject[]) {
  const target = `copy ${copy.table} (${columns.map(({ name }) => quote(name)).join(', ')}) from stdin (format csv, force_null *)`;
  let rows = 0;
  for (const { url, file } of objects) {
    const stream = client.query(copyFrom(target));
    try {
      await pipeline(createReadStream(file), createGunzip(), stream);
    } catch (error) {
      const { message, where } = error as { message: string; where?: string };
      throw new RefusedSql(`Load into table '${copy.table}' failed: ${message} (${url}${where ? `, ${where}` : ''})`);
    }
    rows += stream.rowCount ?? 0;
  }
  return rows;
}

/** The columns to be filled, in the table's order or the command's. */
async function readColumns(client: PoolClient, { table, columns }: CopyCommand): Promise<Column[]> {
  const { rows } = await client.query<Column>(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attidentity = '' order by attnum`,
    [table],
  );
  if (columns.length === 0) return rows;
  return columns.map((name) => {
    const column = rows.find((row) => row.name === name);
    if (column === undefined) throw new RefusedSql(`column "${name}" of relation "${table}" does not exist`);
    return column;
  });
}

async function openDuckdb(): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    memory_limit: '1GB',
  });
  const connection = await instance.connect();
  await connection.run("set TimeZone = 'UTC'");
  return connection;
}

async function describe(duckdb: DuckDBConnection, file: string, url: string): Promise<Column[]> {
  try {
    const reader = await duckdb.runAndReadAll(
      `describe select * from read_parquet(${literal(file)}, hive_partitioning = false)`,
    );
    return reader
      .getRowObjects()
      .map(({ column_name, column_type }) => ({ name: String(column_name), type: String(column_type) }));
  } catch (error) {
    throw new RefusedSql(
      `Spectrum Scan Error. File '${url}' has an invalid version number or is no Parquet: ${(error as Error).message}`,
    );
  }
}

/** By position and by type: names don't count. Redshift converts nothing, so neither do we. */
function checkShape(found: Column[], columns: Column[], url: string, fillRecord: boolean): void {
  if (fillRecord ? found.length > columns.length : found.length !== columns.length) {
    throw new RefusedSql(
      `Spectrum Scan Error. Unmatched number of columns between table and file. Table columns: ${columns.length}, Data columns: ${found.length}, File name: ${url}`,
    );
  }
  found.forEach((source, at) => {
    const { name, type } = columns[at]!;
    if (!accepts(type, source.type)) {
      throw new RefusedSql(
        `Spectrum Scan Error. File '${url}' has an incompatible Parquet schema for column '${name}'. Column type: ${type.toUpperCase()}, Parquet schema: ${source.name} ${source.type}`,
      );
    }
  });
}

const accepted: Readonly<Record<string, readonly string[]>> = {
  smallint: ['TINYINT', 'SMALLINT'],
  integer: ['INTEGER'],
  bigint: ['BIGINT'],
  real: ['FLOAT'],
  'double precision': ['DOUBLE'],
  boolean: ['BOOLEAN'],
  date: ['DATE'],
  'timestamp without time zone': [
    'TIMESTAMP',
    'TIMESTAMP_S',
    'TIMESTAMP_MS',
    'TIMESTAMP_NS',
    'TIMESTAMP WITH TIME ZONE',
  ],
};

function accepts(type: string, parquet: string): boolean {
  if (type.startsWith('numeric(')) return parquet === type.replace('numeric', 'DECIMAL');
  if (type.startsWith('character')) return parquet === 'VARCHAR';
  return accepted[type]?.includes(parquet) ?? false;
}

/** Lengths count in bytes, and a value that is too long fails the load instead of being cut. */
async function checkLengths(duckdb: DuckDBConnection, source: string, found: Column[], columns: Column[], url: string) {
  const limited = columns.flatMap(({ name, type }, at) => {
    const limit = /^character.*\((\d+)\)/.exec(type)?.[1];
    return limit === undefined
      ? []
      : [{ name, limit: Number(limit), longest: `max(strlen(${quote(found[at]!.name)}))` }];
  });
  if (limited.length === 0) return;
  const reader = await duckdb.runAndReadAll(
    `select ${limited.map(({ longest }) => longest).join(', ')} from ${source}`,
  );
  limited.forEach(({ name, limit }, at) => {
    const longest = Number(reader.getRows()[0]![at] ?? 0);
    if (longest > limit) {
      throw new RefusedSql(
        `Spectrum Scan Error. The length of the data column ${name} is longer than the length defined in the table. Table: ${limit}, Data: ${longest}, File name: ${url}`,
      );
    }
  });
}

function split(url: string): [string, string] {
  const match = /^s3:\/\/([^/]+)\/(.+)$/.exec(url);
  if (match === null) throw new RefusedSql(`'${url}' is not an S3 location: s3://bucket/key is`);
  return [match[1]!, match[2]!];
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
