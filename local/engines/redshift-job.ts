import { randomUUID } from 'node:crypto';
import { type DatabaseError, escapeIdentifier, Pool, type PoolClient } from 'pg';
import type { PostgresServer } from './postgres';
import type { ManifestCopy } from './redshift-copy';
import { type StatementResult, toResult, unparsed } from './redshift-results';
import { lengthCheck } from './redshift-tables';
import { RefusedSql } from './redshift-tokens';
import { translate } from './redshift-translate';

export type Status = 'SUBMITTED' | 'STARTED' | 'FINISHED' | 'FAILED' | 'ABORTED';

/** One SQL statement of a job. */
export interface Step {
  readonly sql: string;
  status: Status;
  startedAt: number;
  updatedAt: number;
  durationNs: number;
  rows: number;
  queryId: number;
  error?: string;
  result?: StatementResult;
}

/** What one call of ExecuteStatement or BatchExecuteStatement set going: its statements run in one transaction. */
export interface Job {
  readonly id: string;
  readonly isBatch: boolean;
  readonly name: string | undefined;
  readonly database: string;
  readonly workgroupName: string;
  readonly secretArn: string | undefined;
  readonly dbUser: string;
  readonly defaultRoleArn: string | undefined;
  readonly allowedRoleArns: readonly string[];
  readonly parameters: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
  readonly createdAt: number;
  updatedAt: number;
  status: Status;
  error?: string;
  pid?: number;
  isCancelled: boolean;
  /** Settles when the job has ended, however it has. */
  done: Promise<void>;
}

export const newStep = (sql: string): Step => ({
  sql,
  status: 'SUBMITTED',
  startedAt: 0,
  updatedAt: Date.now(),
  durationNs: -1,
  rows: -1,
  queryId: 0,
});

export const newId = randomUUID;

let queries = 0;

/** Runs jobs, each on a connection of its own and as its own database user. */
export class JobRunner {
  private readonly pools = new Map<string, Pool>();

  constructor(
    private readonly postgres: PostgresServer,
    private readonly parquet: ManifestCopy,
  ) {}

  async run(job: Job): Promise<void> {
    let client: PoolClient | undefined;
    let isBroken = false;
    try {
      client = await this.connect(job);
      await client.query('begin isolation level repeatable read');
      for (const [index, step] of job.steps.entries()) {
        if (job.isCancelled) throw new CancelledJob();
        await this.runStep(client, job, step).catch((error) => {
          const status = job.isCancelled ? 'ABORTED' : 'FAILED';
          Object.assign(step, { status, error: wordError(error), updatedAt: Date.now() });
          throw job.isBatch ? Object.assign(new Error(), { cause: error, index }) : error;
        });
      }
      if (job.isCancelled) throw new CancelledJob();
      await client.query('commit');
      end(job, 'FINISHED');
    } catch (error) {
      const { cause, index } = error as { cause?: unknown; index?: number };
      const text = wordError(cause ?? error);
      for (const step of job.steps) if (step.status === 'SUBMITTED') step.status = 'ABORTED';
      job.error = index === undefined ? text : `Query #${index + 1} failed with ${text}`;
      await client?.query('rollback').catch(() => (isBroken = true));
      end(job, job.isCancelled ? 'ABORTED' : 'FAILED');
    } finally {
      // Temporary tables and the assumed user end with the job.
      await client?.query('discard all').catch(() => (isBroken = true));
      client?.release(isBroken);
    }
  }

  /** Ends the running statement of a job, and with it the job. */
  async cancel(job: Job): Promise<void> {
    job.isCancelled = true;
    if (job.pid !== undefined) await this.pool(job.database).query('select pg_cancel_backend($1)', [job.pid]);
  }

  /** Every row of every user table of a database, as text. */
  async *rows(database: string): AsyncIterable<{ where: string; text: string }> {
    const client = await this.pool(database).connect();
    try {
      const { rows: tables } = await client.query(
        `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema') and schemaname not like 'pg_temp%' order by 1`,
      );
      for (const { name } of tables) {
        await client.query('begin');
        await client.query(`declare scan no scroll cursor for select t::text as row from ${name} t`);
        for (;;) {
          const { rows } = await client.query('fetch 5000 from scan');
          if (rows.length === 0) break;
          yield { where: `${database}.${name}`, text: rows.map(({ row }) => row).join('\n') };
        }
        await client.query('commit');
      }
    } finally {
      client.release(true);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.end()));
    this.pools.clear();
  }

  private async connect(job: Job): Promise<PoolClient> {
    const client = await this.pool(job.database).connect();
    try {
      const { rows } = await client.query(
        'select pg_backend_pid() as pid, (select count(*) from pg_roles where rolname = $1::name) as users',
        [job.dbUser],
      );
      if (rows[0].users === '0') throw new RefusedSql(`FATAL: user "${job.dbUser}" does not exist`);
      await client.query(`set session authorization ${escapeIdentifier(job.dbUser)}`);
      job.pid = rows[0].pid;
      job.status = 'STARTED';
      return client;
    } catch (error) {
      client.release();
      throw error;
    }
  }

  private async runStep(client: PoolClient, job: Job, step: Step): Promise<void> {
    Object.assign(step, { status: 'STARTED', startedAt: Date.now(), queryId: ++queries });
    const began = process.hrtime.bigint();
    const translated = translate(step.sql, job.parameters, job.isBatch);
    if (translated.kind === 'sql') {
      const { text, values } = translated;
      const answer = await client.query({ text, values: [...values], rowMode: 'array', types: unparsed } as any);
      if (answer.fields.length > 0) step.result = toResult(answer.fields, answer.rows as any);
      step.rows = answer.rowCount ?? -1;
    } else if (translated.kind === 'copy') {
      const roleArn = translated.copy.roleArn ?? job.defaultRoleArn;
      if (roleArn === undefined) throw new RefusedSql('IAM_ROLE default: the namespace has no default role');
      if (!job.allowedRoleArns.includes(roleArn)) {
        throw new RefusedSql(`Not authorized to assume role ${roleArn}: it is not among the namespace's iamRoles`);
      }
      step.rows = await this.parquet.run(client, translated.copy, roleArn);
    }
    const durationNs = Number(process.hrtime.bigint() - began);
    Object.assign(step, { status: 'FINISHED', updatedAt: Date.now(), durationNs });
  }

  private pool(database: string): Pool {
    let pool = this.pools.get(database);
    if (pool === undefined) {
      // A schedule runs a handful of jobs at once; more wait for a connection, as they wait in Redshift's queue.
      pool = new Pool({ connectionString: this.postgres.url(database), max: 10, allowExitOnIdle: true });
      // A server that stops takes its connections along; whatever runs on one fails with that, nothing else has to.
      pool.on('error', () => {});
      pool.on('connect', (client) => client.on('error', () => {}));
      this.pools.set(database, pool);
    }
    return pool;
  }
}

class CancelledJob extends Error {}

function end(job: Job, status: Status): void {
  Object.assign(job, { status, updatedAt: Date.now() });
}

/** An error in Redshift's words, where they differ from PostgreSQL's. */
function wordError(error: unknown): string {
  if (error instanceof CancelledJob) return "ERROR: Query cancelled on user's request";
  const { message, code, constraint } = error as DatabaseError;
  if (message.startsWith('FATAL')) return message;
  const length = lengthCheck.exec(constraint ?? '')?.[1];
  if (length !== undefined) return `ERROR: value too long for type character varying(${length})`;
  if (code === '57014') return "ERROR: Query cancelled on user's request";
  if (code === '3D000') return `FATAL: ${message}`;
  if (code === '40001') return `ERROR: 1023 Serializable isolation violation: ${message}`;
  if (code === '21000' && message.startsWith('MERGE')) return 'ERROR: Found multiple matches to update the same tuple.';
  return `ERROR: ${message.replace(/^permission denied for table /, 'permission denied for relation ').replace(/^role /, 'user ')}`;
}
