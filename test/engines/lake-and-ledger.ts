import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { DuckDBInstance } from '@duckdb/node-api';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Pool } from 'pg';
import { oneRowPerKey } from '../../lambdas/base/domain/lake-views';
import { netOf, type Sale, signOf } from '../../lambdas/base/domain/sale';
import { saleLines, saleTenders } from '../../lambdas/base/domain/sale-rows';
import type { Part } from '../../lambdas/serve/finance/create-schema/rights';
import { type Warehouse, warehouse as warehouseOf } from '../../lambdas/serve/finance/warehouse';
import { EncryptionKey } from '../../lib/base/encryption-key';
import { stream } from '../../lib/base/stream';
import { LakeStack } from '../../lib/serve/lake-stack';
import { stageNamed } from '../../lib/stages';
import { Athena } from '../../local/engines/athena';
import { localAccount, localRegion } from '../../local/engines/engine';
import { openFirehose } from '../../local/engines/firehose';
import { openGlue } from '../../local/engines/glue';
import { type PostgresServer, startPostgres } from '../../local/engines/postgres';
import { openRedshift, type Redshift } from '../../local/engines/redshift';
import { openS3, type S3Engine } from '../../local/engines/s3';
import { resolve } from '../../local/template/intrinsics';
import { type Container, type Rig, startRig } from '../engine-rig';

/** What a store says of the sales, or the sales of themselves: what must agree. */
export interface Totals {
  readonly transactions: number;
  readonly lines: number;
  readonly units: number;
  readonly net: number;
  readonly tenders: number;
  readonly tendered: number;
}

export function totalsOf(sales: readonly Sale[]): Totals {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  const lines = sales.flatMap((sale) => sale.lines.map((line) => ({ line, sign: signOf(sale) })));
  const tenders = sales.flatMap((sale) => sale.tenders.map((tender) => signOf(sale) * tender.amount));
  return {
    transactions: sales.length,
    lines: lines.length,
    units: sum(lines.map(({ line, sign }) => sign * line.quantity)),
    net: sum(lines.map(({ line, sign }) => sign * netOf(line))),
    tenders: tenders.length,
    tendered: sum(tenders),
  };
}

export const copyRoleArn = `arn:aws:iam::${localAccount}:role/copy`;
/** Roles of the functions that act on the ledger. */
export const roleNames: Readonly<Record<Part, string>> = {
  load: 'tillstream-local-ledger-loader',
  settlement: 'tillstream-local-settlement-loader',
  close: 'tillstream-local-day-closer',
  reconcile: 'tillstream-local-reconciler',
  resolve: 'tillstream-local-break-resolver',
  report: 'tillstream-local-reconciliation-reporter',
};
const administratorArn = `arn:aws:sts::${localAccount}:assumed-role/administrator/administrator`;
const adminSecretArn = `arn:aws:secretsmanager:${localRegion}:${localAccount}:secret:redshift!ledger-admin-abcdef`;

/** The lake as its template describes it, on the local engines, and the ledger behind it if asked for. */
export interface LakeAndLedger {
  readonly rig: Rig;
  readonly s3: S3Engine;
  readonly buckets: Readonly<
    Record<'lake' | 'held' | 'manifests' | 'settlement' | 'reports' | 'snapshots' | 'results', string>
  >;
  readonly athena: Athena;
  /** Writes small files together. */
  compactor(): Container;
  /** Makes and proves snapshots. */
  snapshots(): Container;
  /** Asks Athena about the lake. */
  ask(query: string): Promise<{ rows: (string | null)[][]; files: readonly string[] }>;
  writer(): Container;
  loader(environment?: Readonly<Record<string, string>>): Container;
  /** A function of finance's, as the database user of its part. */
  part(part: Part, environment?: Readonly<Record<string, string>>): Container;
  /** Takes settlement files. */
  settler(): Container;
  /** The warehouse as its administrator finds it. */
  warehouseUrl(): string;
  /** The same behind the Data API, which takes what Redshift takes. */
  warehouse(): Warehouse;
  /** Runs the deploy step of the ledger's schema. */
  createSchema(): Promise<{ Status: string; Reason?: string }>;
  /** Empties the ledger's tables, whose schema stays. */
  emptyLedger(): Promise<void>;
  /** Delivers what Firehose holds. */
  flush(): Promise<void>;
  /** Keys of the lake's objects. */
  files(prefix?: string): Promise<string[]>;
  lakeTotals(): Promise<Totals>;
  ledgerTotals(): Promise<Totals>;
  /** Asks the warehouse as its administrator. */
  sql(query: string): Promise<Record<string, any>[]>;
  close(): Promise<void>;
}

export async function openLakeAndLedger({ ledger }: { readonly ledger: boolean }): Promise<LakeAndLedger> {
  const directory = mkdtempSync(join(tmpdir(), 'tillstream-lake-'));
  const rig = await startRig();
  const s3 = await openS3({ directory: join(directory, 's3') });
  const buckets = {
    lake: 'lake',
    held: 'held',
    manifests: 'manifests',
    settlement: 'settlement',
    reports: 'reports',
    snapshots: 'snapshots',
    results: 'results',
  };
  for (const Bucket of Object.values(buckets)) {
    await s3.call('CreateBucket', { Bucket });
    await s3.call('PutBucketVersioning', { Bucket, VersioningConfiguration: { Status: 'Enabled' } });
  }
  const glue = await openGlue();
  const firehose = await openFirehose({
    directory: join(directory, 'firehose'),
    s3: (_, operation, input) => s3.call(operation, input),
    table: (database, name) => glue.table(database, name),
  });
  const athena = new Athena({
    call: (_, service, operation, input) => (service === 's3' ? s3 : glue).call(operation, input),
    fileOf: (bucket, key) => s3.fileOf(bucket, key),
  });
  await athena.call('CreateWorkGroup', {
    Name: 'queries',
    Configuration: { ResultConfiguration: { OutputLocation: `s3://${buckets.results}/results/` } },
  });
  rig.attach('athena', athena);
  rig.attach('s3', s3);
  rig.attach('firehose', firehose);
  const streams = await createLake(directory, glue, firehose);

  let postgres: PostgresServer | undefined;
  let redshift: Redshift | undefined;
  if (ledger) {
    postgres = await startPostgres({ directory: join(directory, 'postgres') });
    redshift = openRedshift({
      postgres,
      s3: (_, operation, input) => s3.call(operation, input),
      fileOf: (bucket, key) => s3.fileOf(bucket, key),
    });
    await redshift.serverless.call('CreateNamespace', {
      namespaceName: 'ledger',
      dbName: 'tillstream',
      adminUsername: 'ledger_admin',
      adminPasswordSecretArn: adminSecretArn,
      iamRoles: [copyRoleArn],
    });
    await redshift.serverless.call('CreateWorkgroup', { workgroupName: 'ledger', namespaceName: 'ledger' });
    const { data, serverless } = redshift;
    rig.attach('redshift-serverless', serverless);
    // There is no door here that knows who calls: `ledger#settlement` is the workgroup as the part `settlement` calls it.
    // Whoever does not come with the administrator's secret is the loader.
    const callers = new Map<string, Part>();
    rig.attach('redshift-data', {
      service: 'redshift-data',
      async call(operation, input) {
        const [WorkgroupName, named] = (input.WorkgroupName ?? '').split('#');
        const part = named ?? callers.get(input.Id) ?? 'load';
        const caller = `arn:aws:sts::${localAccount}:assumed-role/${roleNames[part as Part]}/${part}`;
        const output = await data.callAs(caller, operation, WorkgroupName ? { ...input, WorkgroupName } : input);
        if (output.Id !== undefined) callers.set(output.Id, part);
        return output;
      },
      contents: () => data.contents(),
      close: () => data.close(),
    });
  }
  const warehouse = { WORKGROUP_NAME: 'ledger', DATABASE_NAME: 'tillstream' };

  const files = async (prefix = '') => {
    const { Contents = [] } = await s3.call('ListObjectsV2', { Bucket: buckets.lake, Prefix: prefix });
    return Contents.map(({ Key }: { Key: string }) => Key) as string[];
  };
  const administrator = redshift && new Pool({ connectionString: redshift.warehouseUrl() });
  const sql = async (query: string) => (await administrator!.query(query)).rows;

  return {
    rig,
    s3,
    buckets,
    files,
    sql,
    writer: () =>
      rig.container('../lambdas/serve/lake/write/handler', {
        LINES_STREAM_NAME: streams.sale_lines!,
        TENDERS_STREAM_NAME: streams.sale_tenders!,
        HELD_BUCKET_NAME: buckets.held,
      }),
    athena,
    compactor: () =>
      rig.container('../lambdas/serve/lake/compact/handler', {
        LAKE_BUCKET_NAME: buckets.lake,
        WORKGROUP_NAME: 'queries',
        DATABASE_NAME: 'tillstream_local',
        FILE_DELAY_DAYS: '32',
      }),
    snapshots: () =>
      rig.container('../lambdas/serve/lake/snapshot/handler', {
        LAKE_BUCKET_NAME: buckets.lake,
        SNAPSHOTS_BUCKET_NAME: buckets.snapshots,
        RESULTS_BUCKET_NAME: buckets.results,
        WORKGROUP_NAME: 'queries',
        DATABASE_NAME: 'tillstream_local',
        FILE_DELAY_DAYS: '32',
        SETTLE_HOURS: '0',
      }),
    async ask(query) {
      const { QueryExecutionId } = await athena.call('StartQueryExecution', {
        QueryString: query,
        WorkGroup: 'queries',
        ClientRequestToken: randomUUID(),
        QueryExecutionContext: { Database: 'tillstream_local' },
      });
      for (;;) {
        const { Status } = (await athena.call('GetQueryExecution', { QueryExecutionId })).QueryExecution;
        if (Status.State === 'SUCCEEDED') break;
        if (Status.State !== 'RUNNING' && Status.State !== 'QUEUED') throw new Error(Status.StateChangeReason);
      }
      const { ResultSet } = await athena.call('GetQueryResults', { QueryExecutionId });
      const rows = ResultSet.Rows.slice(1).map(({ Data }: any) => Data.map((one: any) => one.VarCharValue ?? null));
      return { rows, files: athena.filesScanned(QueryExecutionId) };
    },
    loader: (environment = {}) =>
      rig.container('../lambdas/serve/finance/load/handler', {
        ...warehouse,
        LAKE_BUCKET_NAME: buckets.lake,
        MANIFEST_BUCKET_NAME: buckets.manifests,
        COPY_ROLE_ARN: copyRoleArn,
        LOOK_BACK_DAYS: '34',
        ...environment,
      }),
    part: (part, environment = {}) =>
      rig.container(`../lambdas/serve/finance/${part}/handler`, {
        ...warehouse,
        WORKGROUP_NAME: `ledger#${part}`,
        ...environment,
      }),
    warehouseUrl: () => redshift!.warehouseUrl(),
    warehouse: () =>
      warehouseOf(
        {
          send: (command: { constructor: { name: string }; input: any }) =>
            redshift!.data.callAs(administratorArn, command.constructor.name.replace(/Command$/, ''), command.input),
        } as unknown as RedshiftDataClient,
        {
          workgroupName: 'ledger',
          database: 'tillstream',
          secretArn: adminSecretArn,
          remainingMs: () => 60_000,
        },
      ),
    settler: () =>
      rig.container('../lambdas/serve/finance/settlement/handler', {
        ...warehouse,
        WORKGROUP_NAME: 'ledger#settlement',
        SETTLEMENT_BUCKET_NAME: buckets.settlement,
        MANIFEST_BUCKET_NAME: buckets.manifests,
        COPY_ROLE_ARN: copyRoleArn,
      }),
    createSchema: () =>
      deployed(
        rig.container('../lambdas/serve/finance/create-schema/handler', {
          ...warehouse,
          NAMESPACE_NAME: 'ledger',
          LEDGER_USERS: JSON.stringify(
            Object.fromEntries(Object.entries(roleNames).map(([part, role]) => [part, `IAMR:${role}`])),
          ),
        }),
      ),
    async emptyLedger() {
      const tables = await sql(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'finance' AND tablename <> 'schema_versions'",
      );
      await sql(`TRUNCATE ${tables.map(({ tablename }) => `finance.${tablename}`).join(', ')}`);
    },
    flush: () => firehose.flush(),
    async lakeTotals() {
      const source = async (table: typeof saleLines) => {
        const paths = (await files(`${table.name}/`)).map((key) => `'${s3.fileOf(buckets.lake, key)}'`);
        return oneRowPerKey(table, `read_parquet([${paths.join(', ')}], hive_partitioning = false)`);
      };
      const connection = await (await DuckDBInstance.create(':memory:')).connect();
      try {
        const query = totalsQuery(`(${await source(saleLines)}) AS l`, `(${await source(saleTenders)}) AS t`);
        return numbers((await connection.runAndReadAll(query)).getRowObjects()[0]!);
      } finally {
        connection.closeSync();
      }
    },
    ledgerTotals: async () => numbers((await sql(totalsQuery('finance.sale_lines', 'finance.sale_tenders')))[0]!),
    async close() {
      await administrator?.end();
      await rig.close();
      glue.close();
      await postgres?.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const totalsQuery = (lines: string, tenders: string) => `
  SELECT transactions, lines, units, net, tenders, tendered
  FROM (SELECT COUNT(DISTINCT source || '#' || transaction_id) AS transactions, COUNT(*) AS lines,
          COALESCE(SUM(units), 0) AS units, COALESCE(SUM(net), 0) AS net FROM ${lines}) AS line_totals,
       (SELECT COUNT(*) AS tenders, COALESCE(SUM(signed_amount), 0) AS tendered FROM ${tenders}) AS tender_totals`;

function numbers(row: Record<string, unknown>): Totals {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)])) as unknown as Totals;
}

/** Makes tables and delivery streams of what the stack's template says; answers the streams' names by table. */
async function createLake(
  directory: string,
  glue: { call(operation: string, input: any): Promise<any> },
  firehose: { call(operation: string, input: any): Promise<any> },
): Promise<Record<string, string>> {
  const Resources = lakeResources(directory);
  const of = (type: string) =>
    Promise.all(
      Object.values(Resources)
        .filter((resource) => resource.Type === type)
        .map(
          async ({ Properties }) =>
            (await resolve(Properties, {
              ref: (id) => ({ 'AWS::AccountId': localAccount, 'AWS::Region': localRegion })[id] ?? nameOf(id),
              attribute: (id, attribute) =>
                attribute === 'Arn' && Resources[id].Type === 'AWS::S3::Bucket'
                  ? `arn:aws:s3:::${nameOf(id)}`
                  : nameOf(id),
              imported: (name) => name,
              condition: () => true,
              dynamic: async (reference) => reference,
            })) as any,
        ),
    );
  const nameOf = (id: string) => {
    if (Resources[id]?.Type !== 'AWS::S3::Bucket') return id;
    return id.startsWith('Snapshots') ? 'snapshots' : id.startsWith('Queries') ? 'results' : 'lake';
  };

  for (const { DatabaseInput } of await of('AWS::Glue::Database')) await glue.call('CreateDatabase', { DatabaseInput });
  for (const { DatabaseName, TableInput } of await of('AWS::Glue::Table'))
    await glue.call('CreateTable', { DatabaseName, TableInput });
  const names: Record<string, string> = {};
  for (const { DeliveryStreamType, ExtendedS3DestinationConfiguration } of await of(
    'AWS::KinesisFirehose::DeliveryStream',
  )) {
    const table = ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.SchemaConfiguration.TableName;
    names[table] = `delivers-${table}`;
    await firehose.call('CreateDeliveryStream', {
      DeliveryStreamName: names[table],
      DeliveryStreamType,
      ExtendedS3DestinationConfiguration,
    });
  }
  return names;
}

let synthesized: Record<string, any> | undefined;

/** The resources of the lake's stack, synthesized once. */
function lakeResources(directory: string): Record<string, any> {
  if (synthesized !== undefined) return synthesized;
  const stage = stageNamed('local');
  const app = new App({
    outdir: join(directory, 'synth'),
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
  });
  const env = { region: stage.region };
  const before = new Stack(app, 'Before', { env });
  const { key } = new EncryptionKey(before, 'Key', { stage, description: 'before' });
  const lake = new LakeStack(app, 'Lake', { stage, env, sales: stream(before, 'Sales', { stage, key }) });
  synthesized = (Template.fromStack(lake).toJSON() as { Resources: Record<string, any> }).Resources;
  return synthesized;
}

/** Runs a deploy step as CloudFormation does, and answers what it reports. */
async function deployed(container: Container): Promise<{ Status: string; Reason?: string }> {
  let report: (outcome: { Status: string; Reason?: string }) => void;
  const outcome = new Promise<{ Status: string; Reason?: string }>((reported) => {
    report = reported;
  });
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    response.end();
    report(JSON.parse(Buffer.concat(chunks).toString()));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    await container.invoke({
      RequestType: 'Create',
      ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/outcome`,
      StackId: 'stack',
      RequestId: 'request',
      LogicalResourceId: 'Schema',
      ResourceType: 'Custom::LedgerSchema',
      ResourceProperties: { ServiceToken: 'function' },
    });
    return await outcome;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
