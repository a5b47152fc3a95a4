import type { GlueColumn, GlueTable } from './glue';
import { RefusedSql } from './redshift-tokens';

/** What Athena asks of other services, in the name of its caller. */
export type AthenaCalls = (service: 's3' | 'glue', operation: string, input: unknown) => Promise<any>;

/** An object that holds rows of a table, and the partition that they belong to. */
export interface TableFile {
  readonly bucket: string;
  readonly key: string;
  readonly bytes: number;
  readonly partition: Readonly<Record<string, string>>;
}

/** A column with its type in the words of both sides. */
export interface TableColumn {
  readonly name: string;
  /** For DuckDB. */
  readonly type: string;
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  int: 'INTEGER',
  bigint: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
};

const symlinkFormat = 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat';
const parquetFormat = 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat';

/** The columns of a table, without those of its partitions. */
export function columnsOf(table: GlueTable): TableColumn[] {
  return table.StorageDescriptor.Columns.map((column) => columnOf(column, table));
}

/** The partitions' columns: text, whatever they are called. */
export function partitionColumnsOf(table: GlueTable): TableColumn[] {
  return table.PartitionKeys.map((column) => {
    if (column.Type !== 'string')
      throw new RefusedSql(
        `partition column ${table.Name}.${column.Name} of type ${column.Type} is not modelled locally: string is`,
      );
    return columnOf(column, table);
  });
}

function columnOf({ Name, Type }: GlueColumn, table: GlueTable): TableColumn {
  const decimal = /^decimal\(\d+,\s*\d+\)$/.exec(Type) === null ? undefined : Type.toUpperCase();
  const type = typeNames[Type] ?? decimal;
  if (type === undefined)
    throw new RefusedSql(
      `type ${Type} of ${table.Name}.${Name} is not modelled locally: ${Object.keys(typeNames).join(', ')}, decimal(p,s) are`,
    );
  return { name: Name.toLowerCase(), type };
}

/** Partition columns that a query must compare with given values: Athena does not look for those that there are. */
export function injectedColumns({ PartitionKeys, Parameters }: GlueTable): string[] {
  return PartitionKeys.map(({ Name }) => Name).filter((name) => Parameters[`projection.${name}.type`] === 'injected');
}

/** A view's query, as Presto encodes it into the catalog, and what the view promises of its columns. */
export interface StoredView {
  readonly originalSql: string;
  readonly catalog: string;
  readonly schema: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** Reads a view out of its table; undefined for what is no view. */
export function storedViewOf(table: GlueTable): StoredView | undefined {
  if (table.TableType !== 'VIRTUAL_VIEW') return undefined;
  const [, encoded] = /^\/\* Presto View: ([A-Za-z0-9+/=]+) \*\/$/.exec(String(table.ViewOriginalText ?? '')) ?? [];
  if (encoded === undefined || table.Parameters.presto_view !== 'true')
    throw new RefusedSql(
      `view ${table.Name} is none of Presto's: it needs presto_view and an encoded ViewOriginalText`,
    );
  const view = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
  for (const member of ['originalSql', 'catalog', 'schema', 'columns'])
    if (view[member] === undefined) throw new RefusedSql(`view ${table.Name} lacks ${member}`);
  return view;
}

const glueTypes: Readonly<Record<string, string>> = { varchar: 'string', integer: 'int' };

/** A view as Athena leaves it in the catalog. */
export function viewTable({ name, database, query, columns }: NewView): object {
  if (columns.some(({ type }) => type === 'decimal'))
    throw new RefusedSql('a decimal column of a view is not modelled locally');
  const typed = columns.map((column) => ({
    ...column,
    type: column.type === 'timestamp' ? 'timestamp(3)' : column.type,
  }));
  const view: StoredView = { originalSql: query, catalog: 'awsdatacatalog', schema: database, columns: typed };
  return {
    Name: name,
    TableType: 'VIRTUAL_VIEW',
    Parameters: { comment: 'Presto View', presto_view: 'true' },
    PartitionKeys: [],
    StorageDescriptor: {
      Columns: columns.map((column) => ({ Name: column.name, Type: glueTypes[column.type] ?? column.type })),
      Location: '',
    },
    ViewOriginalText: `/* Presto View: ${Buffer.from(JSON.stringify(view)).toString('base64')} */`,
    ViewExpandedText: '/* Presto View */',
  };
}

interface NewView {
  readonly name: string;
  readonly database: string;
  readonly query: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/**
 * All files of a table: every partition that its projection allows, as its location template names it. Which of them a
 * query reads is for the query to say (athena-query.ts).
 */
export async function filesOf(table: GlueTable, call: AthenaCalls, now: Date): Promise<TableFile[]> {
  const { Location, InputFormat } = table.StorageDescriptor;
  if (InputFormat !== parquetFormat && InputFormat !== symlinkFormat)
    throw new RefusedSql(
      `input format ${String(InputFormat)} of ${table.Name} is not modelled locally: Parquet and symlinks to it are`,
    );
  const partitions = partitionsOf(table, now);
  const [bucket, prefix] = split(String(Location));
  const listed: TableFile[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await call('s3', 'ListObjectsV2', {
      Bucket: bucket,
      Prefix: prefix,
      ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
    });
    for (const { Key, Size } of page.Contents ?? []) {
      // Athena takes names that begin so for no data.
      if (Size === 0 || /(^|\/)[_.][^/]*$/.test(Key)) continue;
      const partition = partitions(`s3://${bucket}/${Key}`);
      if (partition !== undefined) listed.push({ bucket, key: Key, bytes: Size, partition });
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return InputFormat === symlinkFormat ? followed(listed, call) : listed;
}

/** The files that lists of files name, one a line. */
async function followed(lists: readonly TableFile[], call: AthenaCalls): Promise<TableFile[]> {
  const files: TableFile[] = [];
  for (const { bucket, key, partition } of lists) {
    const { Body } = await call('s3', 'GetObject', { Bucket: bucket, Key: key });
    for (const line of Buffer.from(Body).toString('utf8').split('\n')) {
      if (line.trim() === '') continue;
      const [ofBucket, ofKey] = split(line.trim());
      files.push({ bucket: ofBucket, key: ofKey, bytes: 0, partition });
    }
  }
  return files;
}

/** The partition of an object, or undefined where the projection does not lead to it. */
function partitionsOf(table: GlueTable, now: Date): (url: string) => Record<string, string> | undefined {
  const { Parameters, PartitionKeys, Name } = table;
  if (PartitionKeys.length === 0) return () => ({});
  if (Parameters['projection.enabled'] !== 'true')
    throw new RefusedSql(`registered partitions, as of ${Name}, are not modelled locally: partition projection is`);
  const allowed = new Map(PartitionKeys.map((key) => [key.Name, valuesOf(table, key.Name, now)]));
  const template = Parameters['storage.location.template'];
  if (template === undefined) throw new RefusedSql(`${Name} without storage.location.template is not modelled locally`);
  const names: string[] = [];
  const pattern = template
    .split(/\$\{(\w+)\}/)
    .map((piece, place) => {
      if (place % 2 === 0) return piece.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(piece);
      return '([^/]+)';
    })
    .join('');
  const expression = new RegExp(`^${pattern}`);
  return (url) => {
    const [, ...values] = expression.exec(url) ?? [];
    if (values.length === 0 || !names.every((name, place) => allowed.get(name)?.(values[place]!))) return undefined;
    return Object.fromEntries(names.map((name, place) => [name, values[place]!]));
  };
}

/** Whether a value is one that the projection makes. */
function valuesOf({ Parameters, Name }: GlueTable, key: string, now: Date): (value: string) => boolean {
  const parameter = (name: string) => Parameters[`projection.${key}.${name}`];
  const type = parameter('type');
  if (type === 'injected') return () => true;
  if (type !== 'date')
    throw new RefusedSql(`projection.${key}.type '${type}' of ${Name} is not modelled locally: date and injected are`);
  const format = parameter('format');
  if (format !== 'yyyy-MM-dd')
    throw new RefusedSql(`projection.${key}.format '${format}' of ${Name} is not modelled locally: yyyy-MM-dd is`);
  const [from, to] = String(parameter('range'))
    .split(',')
    .map((end) => dayOf(end.trim(), now));
  if (from === undefined || to === undefined)
    throw new RefusedSql(
      `projection.${key}.range '${parameter('range')}' of ${Name} is not modelled locally: days and NOW+nDAYS are`,
    );
  return (value) => /^\d{4}-\d{2}-\d{2}$/.test(value) && value >= from && value <= to;
}

function dayOf(text: string, now: Date): string | undefined {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return text;
  const [found, sign, days] = /^NOW(?:([+-])(\d+)DAYS?)?$/.exec(text) ?? [];
  if (found === undefined) return undefined;
  const shifted = new Date(now);
  shifted.setUTCDate(shifted.getUTCDate() + Number(`${sign ?? '+'}${days ?? 0}`));
  return shifted.toISOString().slice(0, 10);
}

/** Bucket and key (or prefix) of an S3 URL. */
export function split(url: string): [string, string] {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.*)$/.exec(url) ?? [];
  if (bucket === undefined || key === undefined)
    throw new RefusedSql(`'${url}' is not an S3 location: s3://bucket/key is`);
  return [bucket, key];
}
