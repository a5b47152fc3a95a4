import { setTimeout as delay } from 'node:timers/promises';
import {
  type AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena';

/** A query failed or was cancelled; its message is Athena's. */
export class QueryFailed extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'QueryFailed';
  }
}

export interface LakeQueriesOptions {
  readonly workgroupName: string;
  readonly database: string;
  /** Milliseconds that are left for waiting: a query that runs longer is stopped. */
  readonly remainingMs: () => number;
}

/** Queries on the lake, by Athena. */
export interface LakeQueries {
  /** Runs a statement whose answer nobody wants: UNLOAD, a view. */
  run(sql: string): Promise<void>;
  /** Runs a query and returns its rows, without their header, as text. */
  rows(sql: string): Promise<(string | null)[][]>;
}

// What is left for the caller when a query has been waited for in vain.
const reserveMs = 5_000;
const firstPauseMs = 20;
const longestPauseMs = 2_000;

/**
 * Athena answers at once and is asked until the query is over. Each query is started once: the SDK gives it a token, under
 * which its own retries find the query that is already there.
 */
export function lakeQueries(client: AthenaClient, options: LakeQueriesOptions): LakeQueries {
  const { workgroupName, database, remainingMs } = options;

  async function finish(sql: string): Promise<string> {
    const { QueryExecutionId } = await client.send(
      new StartQueryExecutionCommand({
        QueryString: sql,
        WorkGroup: workgroupName,
        QueryExecutionContext: { Database: database },
      }),
    );
    if (QueryExecutionId === undefined) throw new Error('Athena gave the query no id');
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const { QueryExecution } = await client.send(new GetQueryExecutionCommand({ QueryExecutionId }));
      const { State, StateChangeReason } = QueryExecution?.Status ?? {};
      if (State === 'SUCCEEDED') return QueryExecutionId;
      if (State === 'FAILED' || State === 'CANCELLED')
        throw new QueryFailed(StateChangeReason ?? `query ${State.toLowerCase()}`);
      if (remainingMs() < pauseMs + reserveMs) {
        await client.send(new StopQueryExecutionCommand({ QueryExecutionId }));
        throw new QueryFailed(`query ${QueryExecutionId} still ran when the time was over: it is stopped`);
      }
      await delay(pauseMs);
    }
  }

  return {
    async run(sql) {
      await finish(sql);
    },
    async rows(sql) {
      const QueryExecutionId = await finish(sql);
      const rows: (string | null)[][] = [];
      let NextToken: string | undefined;
      do {
        const page = await client.send(
          new GetQueryResultsCommand({ QueryExecutionId, ...(NextToken === undefined ? {} : { NextToken }) }),
        );
        for (const { Data = [] } of page.ResultSet?.Rows ?? [])
          rows.push(Data.map(({ VarCharValue }) => VarCharValue ?? null));
        NextToken = page.NextToken;
      } while (NextToken !== undefined);
      return rows.slice(1);
    },
  };
}
