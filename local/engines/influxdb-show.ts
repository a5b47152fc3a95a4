import type { Bucket } from './influxdb-access';
import { splitCondition, toSql } from './influxdb-condition';
import { BadQuery } from './influxdb-influxql-lexer';
import type { Expression, Show } from './influxdb-influxql-parser';
import type { Measurement, Series } from './influxdb-measurement';
import type { Data, ResultSeries } from './influxdb-select';

/** Runs a SHOW about what a database holds. */
export async function show(statement: Show, data: Data, all: readonly Measurement[]): Promise<ResultSeries[]> {
  const measurements =
    statement.sources.length === 0
      ? all
      : statement.sources.flatMap((source) => {
          if (source.kind === 'subquery') throw new BadQuery('SHOW takes no subquery');
          return data.measurements(source);
        });
  switch (statement.subject) {
    case 'measurements':
      return list(
        'measurements',
        ['name'],
        page(
          measurements.map(({ name }) => [name]),
          statement,
        ),
      );
    case 'field keys':
      return perMeasurement(measurements, ['fieldKey', 'fieldType'], ({ fields }) =>
        page([...fields].map(([name, { type }]) => [name, type]).sort(), statement),
      );
    case 'tag keys':
      return perMeasurement(measurements, ['tagKey'], ({ tags }) =>
        page(
          [...tags.keys()].sort().map((name) => [name]),
          statement,
        ),
      );
    case 'tag values': {
      const kept = await Promise.all(measurements.map((measurement) => matching(measurement, statement, data)));
      return perMeasurement(measurements, ['key', 'value'], (measurement) => {
        const pairs = kept[measurements.indexOf(measurement)]!.flatMap(({ tags }) =>
          [...tags].filter(([key]) => isWanted(key, statement)),
        );
        const unique = [...new Map(pairs.map((pair) => [JSON.stringify(pair), pair])).values()];
        return page(
          unique.sort(([a, x], [b, y]) => (a < b || (a === b && x < y) ? -1 : 1)),
          statement,
        );
      });
    }
    case 'series': {
      const kept = await Promise.all(measurements.map((measurement) => matching(measurement, statement, data)));
      const keys = measurements.flatMap(({ seriesKey }, at) => kept[at]!.map(seriesKey)).sort();
      return keys.length === 0
        ? []
        : [
            {
              name: '',
              columns: ['key'],
              values: page(
                keys.map((key) => [key]),
                statement,
              ),
            },
          ];
    }
    case 'series cardinality': {
      const count = measurements.reduce((sum, { series }) => sum + series.length, 0);
      return [{ name: '', columns: ['cardinality estimation'], values: [[count]] }];
    }
    case 'series exact cardinality':
      return perMeasurement(measurements, ['count'], ({ series }) => [[series.length]]);
    default:
      throw new BadQuery(`SHOW ${statement.subject} is not modelled locally`);
  }
}

/** SHOW DATABASES. */
export const showDatabases = (names: readonly string[]): ResultSeries[] => [
  { name: 'databases', columns: ['name'], values: [...new Set(names)].sort().map((name) => [name]) },
];

/** SHOW RETENTION POLICIES: each bucket of a database is one. */
export function showPolicies(
  policies: readonly { name: string; bucket: Bucket; isDefault: boolean }[],
): ResultSeries[] {
  const values = policies.map(({ name, bucket, isDefault }) => [
    name,
    toDuration(bucket.retentionSeconds),
    '168h0m0s',
    1,
    isDefault,
  ]);
  return [{ name: '', columns: ['name', 'duration', 'shardGroupDuration', 'replicaN', 'default'], values }];
}

/** A duration as Go writes it: `1h0m0s`. */
export function toDuration(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${Math.floor(seconds / 3_600)}h${Math.floor((seconds % 3_600) / 60)}m${seconds % 60}s`;
}

/** The series that the WHERE allows, by their tags. */
async function matching(measurement: Measurement, { where }: Show, { rows, now }: Data): Promise<readonly Series[]> {
  if (where === undefined) return measurement.series;
  const { rest } = splitCondition(where, now);
  if (rest.length === 0) return measurement.series;
  const relation = { name: measurement.name, sql: measurement.seriesTable, tags: measurement.tags, fields: new Map() };
  const conditions = rest.map((condition) => toSql(condition, relation).sql).join(' and ');
  const kept = await rows(`select series from ${measurement.seriesTable} where ${conditions}`);
  return kept.map(([id]) => measurement.series[id as number]!);
}

function isWanted(key: string, { key: wanted, keyOperator }: Show): boolean {
  if (wanted?.kind === 'call') return wanted.args.some((name) => nameOf(name) === key);
  const text = wanted === undefined ? '' : nameOf(wanted);
  switch (keyOperator) {
    case '=~':
      return new RegExp(text).test(key);
    case '!~':
      return !new RegExp(text).test(key);
    case '!=':
      return key !== text;
    default:
      return key === text;
  }
}

const nameOf = (expression: Expression): string =>
  expression.kind === 'name' ? expression.name : expression.kind === 'regex' ? expression.value : '';

const page = <T>(rows: T[], { limit, offset }: Show): T[] => rows.slice(offset, limit > 0 ? offset + limit : undefined);

const list = (name: string, columns: string[], values: string[][]): ResultSeries[] =>
  values.length === 0 ? [] : [{ name, columns, values }];

function perMeasurement(
  measurements: readonly Measurement[],
  columns: string[],
  rows: (measurement: Measurement) => (string | number)[][],
) {
  return measurements.flatMap((measurement) => {
    const values = rows(measurement);
    return values.length === 0 ? [] : [{ name: measurement.name, columns, values }];
  });
}
