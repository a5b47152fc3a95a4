import { setTimeout as delay } from 'node:timers/promises';
import {
  BatchExecuteStatementCommand,
  DescribeStatementCommand,
  type DescribeStatementCommandOutput,
  ExecuteStatementCommand,
  type Field,
  GetStatementResultCommand,
  type RedshiftDataClient,
} from '@aws-sdk/client-redshift-data';

// The Data API holds the answer back for so long when the statement still runs; the client gives up after ten.
const waitSeconds = 5;

/** A statement, or a batch and with it its transaction, failed: nothing of it is left in the warehouse. */
export class StatementFailed extends Error {
  constructor(
    reason: string,
    /** Index of the statement in its batch, where the Data API says it. */
    readonly statement: number | undefined,
  ) {
    super(reason);
    this.name = 'StatementFailed';
  }
}

export interface WarehouseOptions {
  readonly workgroupName: string;
  readonly database: string;
  /** Acts as this secret's database user; without it, as the caller's role. */
  readonly secretArn?: string;
  /** Milliseconds that are left for waiting: a statement that runs longer goes on, but nobody waits for it. */
  readonly remainingMs: () => number;
}

export interface Warehouse {
  /** Runs at most 40 statements as one transaction. */
  run(statements: readonly string[]): Promise<void>;
  /** Runs a query and returns its rows as text. */
  rows(query: string): Promise<(string | null)[][]>;
}

/** The warehouse behind the Redshift Data API, which answers at once and is asked until the statement is over. */
export function warehouse(client: RedshiftDataClient, options: WarehouseOptions): Warehouse {
  const { workgroupName, database, secretArn, remainingMs } = options;
  const connection = {
    WorkgroupName: workgroupName,
    Database: database,
    ...(secretArn === undefined ? {} : { SecretArn: secretArn }),
  };

  async function finish(id: string | undefined): Promise<string> {
    if (id === undefined) throw new Error('the Data API gave the statement no id');
    for (;;) {
      const statement = await client.send(new DescribeStatementCommand({ Id: id, WaitTimeSeconds: waitSeconds }));
      if (statement.Status === 'FINISHED') return id;
      if (statement.Status === 'FAILED' || statement.Status === 'ABORTED') throw failureOf(statement);
      if (remainingMs() < (waitSeconds + 2) * 1_000) throw new Error(`statement ${id} still runs: time is over`);
      await delay(200);
    }
  }

  return {
    async run(statements) {
      const { Id } = await client.send(new BatchExecuteStatementCommand({ ...connection, Sqls: [...statements] }));
      await finish(Id);
    },
    async rows(query) {
      const { Id } = await client.send(new ExecuteStatementCommand({ ...connection, Sql: query }));
      const id = await finish(Id);
      const rows: (string | null)[][] = [];
      let next: string | undefined;
      do {
        const page = await client.send(
          new GetStatementResultCommand({ Id: id, ...(next === undefined ? {} : { NextToken: next }) }),
        );
        for (const record of page.Records ?? []) rows.push(record.map(textOf));
        next = page.NextToken;
      } while (next);
      return rows;
    },
  };
}

function failureOf({ Error: error, Status, SubStatements }: DescribeStatementCommandOutput): StatementFailed {
  const failed = SubStatements?.findIndex((statement) => statement.Status === 'FAILED') ?? -1;
  const reason = SubStatements?.[failed]?.Error ?? error ?? `statement ${Status?.toLowerCase()}`;
  return new StatementFailed(reason, failed === -1 ? undefined : failed);
}

function textOf(field: Field): string | null {
  const value = field.stringValue ?? field.longValue ?? field.doubleValue ?? field.booleanValue;
  return value === undefined ? null : String(value);
}

/** A string as SQL. A backslash means something to Redshift and nothing to PostgreSQL, so none may come in. */
export function literal(text: string): string {
  if (text.includes('\\')) throw new Error('a backslash cannot be written in SQL that runs on both engines');
  return `'${text.replaceAll("'", "''")}'`;
}

/** A time as SQL, for a column without a zone: UTC. */
export function timestampLiteral(time: Date): string {
  return `CAST('${time.toISOString().slice(0, 23).replace('T', ' ')}' AS timestamp)`;
}

/**
 * A statement that fails, and with it its transaction, unless nothing is counted. Neither engine lets plain SQL raise an
 * error by name, but both refuse to divide by zero.
 */
export function unlessAny(from: string): string {
  return `SELECT 1 / CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END AS none\nFROM ${from}`;
}

/** Whether a batch failed because its guard, the statement at this index, counted something. */
export function guardStopped(error: unknown, statement: number): boolean {
  return (
    error instanceof StatementFailed &&
    (error.statement ?? statement) === statement &&
    /divi(de|sion) by zero/i.test(error.message)
  );
}

/** The statements of an .sql file: one ends at a semicolon at the end of its line. */
export function statementsOf(sql: string): string[] {
  return sql
    .replaceAll(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
