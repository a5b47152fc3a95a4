import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { administrationOf } from '../../lambdas/serve/merchandising/influxdb/mint-tokens/administration';
import type { MerchandisingEngine } from '../../lib/stages';
import { AwsError } from '../../local/engines/engine';
import { openInfluxDb } from '../../local/engines/influxdb';
import { openTimestream } from '../../local/engines/timestream';
import type { Rig } from '../engine-rig';

/** A database of time series behind the rig. */
export interface EngineBehind {
  /** Variables of every function of the room. */
  readonly environment: Readonly<Record<string, string>>;
  /** Every statement that was sent to it, in order. */
  readonly statements: string[];
  /** Refuses the next writes, or the next questions. */
  failWrites(times: number): void;
  failReads(times: number): void;
  /** Says that the next writes are done, and forgets them. */
  loseWrites(times: number): void;
  close(): Promise<void>;
}

export const openEngine: Readonly<
  Record<MerchandisingEngine, (rig: Rig, retentionDays: number) => Promise<EngineBehind>>
> = { influxdb: influxDbBehind, liveanalytics: liveAnalyticsBehind };

const endpoint = 'tillstream.timestream-influxdb.test';
const user = { username: 'tillstream', password: 'correctHorseBatteryStaple' };
const databases = { sales: 'merchandising', items: 'merchandising_items' };

/** With tokens that were minted for the functions. */
async function influxDbBehind(rig: Rig, retentionDays: number): Promise<EngineBehind> {
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  const influx = await openInfluxDb({ directory: folder });
  influx.provision({ ...user, organization: 'tillstream', bucket: databases.sales });

  const statements: string[] = [];
  const failures = { '/write': 0, '/query': 0 };
  let losses = 0;
  const realFetch = globalThis.fetch;
  globalThis.fetch = (async (address: string, options: any = {}) => {
    const { host, pathname, searchParams } = new URL(address);
    if (host !== `${endpoint}:8086`) return realFetch(address, options);
    const { method = 'GET', headers = {}, body = '', signal } = options;
    signal?.throwIfAborted();
    if (pathname === '/query') statements.push(new URLSearchParams(body).get('q')!);
    if ((pathname === '/write' || pathname === '/query') && failures[pathname] > 0) {
      failures[pathname]--;
      return new Response('{"message":"unavailable"}', { status: 503 });
    }
    if (pathname === '/write' && losses > 0) {
      losses--;
      return new Response(null, { status: 204 });
    }
    const request = { method, path: pathname, query: searchParams, headers, body: Buffer.from(body) };
    const answer = await influx.handle(request);
    const text = answer.body.length === 0 ? null : String(answer.body);
    return new Response(text, { status: answer.status, headers: answer.headers });
  }) as typeof fetch;

  const administration = await administrationOf(`https://${endpoint}:8086`, 'tillstream', user);
  const buckets = [
    await administration.ensureBucket(databases.sales, retentionDays),
    await administration.ensureBucket(databases.items, retentionDays),
  ];
  const secretOf = async (action: 'read' | 'write') => {
    const SecretString = JSON.stringify(await administration.mintToken(action, action, buckets));
    return (await rig.engines.secretsmanager.call('CreateSecret', { Name: action, SecretString })).ARN;
  };
  return {
    environment: {
      INFLUXDB_ENDPOINT: endpoint,
      SALES_DATABASE: databases.sales,
      ITEMS_DATABASE: databases.items,
      WRITE_TOKEN_SECRET_ARN: await secretOf('write'),
      READ_TOKEN_SECRET_ARN: await secretOf('read'),
    },
    statements,
    failWrites(times) {
      failures['/write'] = times;
    },
    failReads(times) {
      failures['/query'] = times;
    },
    loseWrites(times) {
      losses = times;
    },
    async close() {
      globalThis.fetch = realFetch;
      await influx.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function liveAnalyticsBehind(rig: Rig, retentionDays: number): Promise<EngineBehind> {
  const timestream = await openTimestream({ address: () => new URL(rig.endpoint).hostname });
  const days = retentionDays === 0 ? 73_000 : retentionDays;
  const statements: string[] = [];
  const failures: Record<string, number> = {};
  let losses = 0;
  rig.attach('timestream', {
    service: 'timestream',
    contents: () => timestream.contents(),
    close: () => timestream.close(),
    call: async (operation, input) => {
      if (operation === 'Query') statements.push(input.QueryString);
      if ((failures[operation] ?? 0) > 0) {
        failures[operation]!--;
        // One that the client does not try again by itself.
        throw new AwsError('AccessDeniedException', 'not now', 403);
      }
      if (operation === 'WriteRecords' && losses > 0) {
        losses--;
        return { RecordsIngested: {} };
      }
      return timestream.call(operation, input);
    },
  });
  const DatabaseName = 'tillstream_test';
  await timestream.call('CreateDatabase', { DatabaseName });
  for (const TableName of ['sales', 'items', 'sources'])
    await timestream.call('CreateTable', {
      DatabaseName,
      TableName,
      RetentionProperties: { MemoryStoreRetentionPeriodInHours: 24, MagneticStoreRetentionPeriodInDays: days },
      MagneticStoreWriteProperties: { EnableMagneticStoreWrites: true },
    });
  return {
    environment: {
      TIMESTREAM_DATABASE: DatabaseName,
      ...{ SALES_TABLE: 'sales', ITEMS_TABLE: 'items', SOURCES_TABLE: 'sources' },
      ...{ SALES_RETENTION_DAYS: String(retentionDays), ITEMS_RETENTION_DAYS: String(retentionDays) },
      MEMORY_HOURS: '24',
    },
    statements,
    failWrites(times) {
      failures.WriteRecords = times;
    },
    failReads(times) {
      failures.Query = times;
    },
    loseWrites(times) {
      losses = times;
    },
    close: async () => {},
  };
}
