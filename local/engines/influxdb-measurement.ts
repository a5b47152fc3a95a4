import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  INTEGER,
  UBIGINT,
  VARCHAR,
} from '@duckdb/node-api';
import { type FieldType, type FieldValue, type Point, parseKey } from './influxdb-line';

/** Fields are numbered columns: DuckDB's names know no case, InfluxDB's do. */
export interface Field {
  readonly column: string;
  readonly type: FieldType;
}

/** One set of tags; tags that it lacks are empty, which in InfluxDB is the same. */
export interface Series {
  readonly id: number;
  readonly tags: ReadonlyMap<string, string>;
}

const duckdbTypes: Readonly<Record<FieldType, readonly [string, DuckDBType]>> = {
  float: ['DOUBLE', DOUBLE],
  integer: ['BIGINT', BIGINT],
  unsigned: ['UBIGINT', UBIGINT],
  string: ['VARCHAR', VARCHAR],
  boolean: ['BOOLEAN', BOOLEAN],
};

// What DuckDB takes in one chunk.
const chunkRows = 2_048;

/** A measurement: its schema and series in memory, its points in DuckDB, and those not yet there in a buffer. */
export class Measurement {
  readonly fields = new Map<string, Field>();
  /** Tag names and their columns in the table of series. */
  readonly tags = new Map<string, string>();
  readonly series: Series[] = [];
  readonly pointsTable: string;
  readonly seriesTable: string;

  private readonly seriesByKey = new Map<string, Series>();
  private readonly seriesByTags = new Map<string, Series>();
  private times: bigint[] = [];
  private seriesIds: number[] = [];
  private columns = new Map<Field, (FieldValue | null)[]>();
  /** How much of the schema DuckDB knows. */
  private stored = { exists: false, fields: 0, tags: 0, series: 0 };

  constructor(
    readonly id: number,
    readonly bucket: string,
    readonly name: string,
  ) {
    this.pointsTable = `points_${id}`;
    this.seriesTable = `series_${id}`;
  }

  /** Takes up what an earlier run has stored. */
  restore(fields: [string, FieldType][], tags: string[], series: [number, ...string[]][]): void {
    for (const [name, type] of fields) this.addField(name, type);
    for (const name of tags) this.addTag(name);
    for (const [, ...values] of series) {
      this.addSeries(tags.flatMap((name, at) => (values[at] ? [[name, values[at]] as const] : [])));
    }
    this.stored = { exists: true, fields: fields.length, tags: tags.length, series: series.length };
  }

  /** Buffers a point, or says why it can't be kept. */
  add({ key, names, types, values, time }: Point): string | undefined {
    const fields: Field[] = [];
    for (let at = 0; at < names.length; at++) {
      const name = names[at]!;
      const field = this.fields.get(name);
      if (field !== undefined && field.type !== types[at]) {
        return `field type conflict: input field "${name}" on measurement "${this.name}" is type ${types[at]}, already exists as type ${field.type}`;
      }
      if (name === 'time') return `invalid field name: input field "time" on measurement "${this.name}" is invalid`;
      if (field !== undefined) fields.push(field);
    }
    let series = this.seriesByKey.get(key);
    if (series === undefined) {
      const { tags } = parseKey(key);
      if (tags.some(([name]) => name === 'time'))
        return `invalid tag key: input tag "time" on measurement "${this.name}" is invalid`;
      series = this.seriesByTags.get(JSON.stringify(tags)) ?? this.addSeries(tags);
      this.seriesByKey.set(key, series);
    }
    const row = this.times.push(time) - 1;
    this.seriesIds.push(series.id);
    for (let at = 0; at < names.length; at++) {
      const field =
        fields.length === names.length
          ? fields[at]!
          : (this.fields.get(names[at]!) ?? this.addField(names[at]!, types[at]!));
      const column = this.columns.get(field) ?? [];
      if (column.length === 0) this.columns.set(field, column);
      column[row] = values[at]!;
    }
    return undefined;
  }

  /** A series' key as a person would write it. */
  seriesKey = ({ tags }: Series): string =>
    [this.name, ...[...tags].map(([name, value]) => `${name}=${value}`)].join(',');

  /** Puts the buffer into DuckDB. */
  async flush(duckdb: DuckDBConnection): Promise<void> {
    // Writes go on meanwhile and may bring new fields; from here to the swap of the buffer nothing is waited for.
    while (!this.isSchemaStored()) await this.storeSchema(duckdb);
    if (this.times.length === 0) return;
    const { times, seriesIds, columns } = this;
    [this.times, this.seriesIds, this.columns] = [[], [], new Map()];

    const fields = [...this.fields.values()];
    const names = ['series', 'time', ...fields.map(({ column }) => column)];
    const staged = `staged_${this.id}`;
    const definitions = [
      'series integer',
      'time bigint',
      ...fields.map(({ column, type }) => `${column} ${duckdbTypes[type][0]}`),
    ];
    await duckdb.run(`create or replace temp table ${staged} (${definitions.join(', ')}, sequence integer)`);
    const types = [INTEGER, BIGINT, ...fields.map(({ type }) => duckdbTypes[type][1]), INTEGER];
    const rows = [seriesIds, times, ...fields.map((field) => columns.get(field) ?? []), times.map((_, at) => at)];
    await appendRows(duckdb, staged, types, rows, times.length);

    // Mostly every point is new, which a look at its series and time tells far cheaper than a merge.
    const [repeats] = await readRow(duckdb, `select count(*) - count(distinct (series, time)) from ${staged}`);
    const last = fields.map(({ column }) => `arg_max(${column}, sequence) as ${column}`);
    const points =
      repeats === 0n ? staged : `(select ${['series', 'time', ...last].join(', ')} from ${staged} group by all)`;
    const [known] = await readRow(
      duckdb,
      `select count(*) from ${this.pointsTable} semi join ${staged} using (series, time)`,
    );
    if (known === 0n) {
      await duckdb.run(
        `insert into ${this.pointsTable} (${names.join(', ')}) select ${names.join(', ')} from ${points}`,
      );
    } else {
      const set = fields.map(({ column }) => `${column} = coalesce(new.${column}, old.${column})`);
      await duckdb.run(`merge into ${this.pointsTable} as old using ${points} as new on old.series = new.series and old.time = new.time
        when matched then update set ${set.join(', ')}
        when not matched then insert (${names.join(', ')}) values (${names.map((name) => `new.${name}`).join(', ')})`);
    }
    await duckdb.run(`drop table ${staged}`);
  }

  private addField(name: string, type: FieldType): Field {
    const field = { column: `f${this.fields.size}`, type };
    this.fields.set(name, field);
    return field;
  }

  private addTag(name: string): void {
    if (!this.tags.has(name)) this.tags.set(name, `t${this.tags.size}`);
  }

  private addSeries(tags: readonly (readonly [string, string])[]): Series {
    for (const [name] of tags) this.addTag(name);
    const series = { id: this.series.length, tags: new Map(tags) };
    this.series.push(series);
    const sorted = [...tags].sort(([one], [other]) => (one < other ? -1 : 1));
    this.seriesByTags.set(JSON.stringify(sorted), series);
    return series;
  }

  private isSchemaStored(): boolean {
    const { exists, fields, tags, series } = this.stored;
    return exists && fields === this.fields.size && tags === this.tags.size && series === this.series.length;
  }

  private async storeSchema(duckdb: DuckDBConnection): Promise<void> {
    const { stored } = this;
    const fields = [...this.fields].slice(stored.fields);
    const tags = [...this.tags];
    const series = this.series.slice(stored.series);
    if (!stored.exists) {
      await duckdb.run(`create table ${this.pointsTable} (series integer, time bigint);
        create table ${this.seriesTable} (series integer);
        insert into measurements values (${this.id}, ${literal(this.bucket)}, ${literal(this.name)})`);
      stored.exists = true;
    }
    for (const [name, { column, type }] of fields) {
      await duckdb.run(`alter table ${this.pointsTable} add column ${column} ${duckdbTypes[type][0]};
        insert into fields values (${this.id}, ${stored.fields++}, ${literal(name)}, '${type}')`);
    }
    for (const [name, column] of tags.slice(stored.tags)) {
      await duckdb.run(`alter table ${this.seriesTable} add column ${column} varchar default '';
        insert into tags values (${this.id}, ${stored.tags++}, ${literal(name)})`);
    }
    if (series.length === 0) return;
    const rows = [series.map(({ id }) => id), ...tags.map(([name]) => series.map((one) => one.tags.get(name) ?? ''))];
    await appendRows(duckdb, this.seriesTable, [INTEGER, ...tags.map(() => VARCHAR)], rows, series.length);
    stored.series += series.length;
  }
}

/** A piece of text as SQL. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

async function appendRows(
  duckdb: DuckDBConnection,
  table: string,
  types: DuckDBType[],
  columns: (FieldValue | null)[][],
  count: number,
) {
  const appender = await duckdb.createAppender(table);
  for (let from = 0; from < count; from += chunkRows) {
    const rows = Math.min(chunkRows, count - from);
    const chunk = DuckDBDataChunk.create(types, rows);
    columns.forEach((column, at) => {
      const values = Array.from({ length: rows }, (_, row) => column[from + row] ?? null);
      chunk.setColumnValues(at, values);
    });
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

async function readRow(duckdb: DuckDBConnection, sql: string): Promise<unknown[]> {
  return (await duckdb.runAndReadAll(sql)).getRows()[0]!;
}
