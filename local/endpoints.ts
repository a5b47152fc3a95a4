import type { LocalAccount, LocalFunction } from './account';
import type { AccessKeys } from './door/door';
import { localRegion } from './engines/engine';

/** Where everything is; in `endpoints.json` in the state folder while it runs. */
export interface Endpoints {
  /** POST sales here, signed for `execute-api`. */
  readonly ingestUrl: string;
  /** GET badges here, signed for `execute-api`: append `?fc=FC1&sku=A`. */
  readonly badgesUrl: string;
  /** POST marks of completeness here, signed for `execute-api`. */
  readonly completeThroughUrl: string;
  /** GET what merchants ask, signed for `execute-api`: append `/totals`, `/groups?by=region`, `/series` or `/completeness`. */
  readonly merchandisingUrl: string;
  /** The dashboard, for a browser: whoever asks here needs no signature. */
  readonly dashboardUrl: string;
  /** GET stock here, signed for `execute-api`: append `?sku=A&location=store-1`. */
  readonly stockUrl: string;
  /** PostgreSQL URL of the ledger. */
  readonly warehouseUrl: string;
  /** Of InfluxDB, for InfluxQL: append `&q=SELECT ...`. */
  readonly timeseriesUrl?: string;
  /** Of LiveAnalytics, for SQL: `aws timestream-query query --query-string 'SELECT ... FROM "<this>"."sales"'`. */
  readonly timestreamDatabase?: string;
  readonly lakeDir: string;
  /** Training sets: a folder a snapshot, under a folder a table. */
  readonly snapshotsDir: string;
  /** Name of the function that makes and proves snapshots. */
  readonly snapshotFunction: string;
  /** Reports of the reconciliation, to be opened in a browser. */
  readonly reportsDir: string;
  /** Start an execution of it to close any day: `{"businessDate":"2026-11-27"}`. */
  readonly dailyCloseArn: string;
  /** Drop settlement files here, under `incoming/<gateway>/`. */
  readonly settlementBucket: string;
  /** PostgreSQL URLs of the source databases, as the superuser. */
  readonly oltp: Readonly<Record<string, string>>;
  readonly aws: { readonly endpoint: string; readonly region: string } & AccessKeys;
  /** Kill functions and inject faults: POST `<control>/faults`. */
  readonly control: string;
}

/** Opens the account's APIs, and tells where everything is. */
export async function openEndpoints(account: LocalAccount): Promise<Omit<Endpoints, 'dashboardUrl'>> {
  const { door, apis, engines, administrator } = account;
  const urls = new Map<string, string>();
  for (const { id, name, methods, gatewayResponses, stages } of apis.values()) {
    for (const { name: stageName, rateLimit, burstLimit } of stages) {
      const { url } = await door.openApi({
        apiId: id,
        stageName,
        methods,
        gatewayResponses,
        ...(rateLimit === undefined || burstLimit === undefined ? {} : { throttling: { rateLimit, burstLimit } }),
      });
      for (const { httpMethod, path } of methods) urls.set(`${httpMethod} ${path}`, `${url}${path}`);
      if (methods.length === 0) throw new Error(`REST API ${name} has no methods`);
    }
  }
  const urlOf = (route: string): string => {
    const url = urls.get(route);
    if (url === undefined) throw new Error(`the template has no ${route}: ${[...urls.keys()].join(', ')}`);
    return url;
  };

  return {
    ingestUrl: urlOf('POST /sales'),
    badgesUrl: urlOf('GET /badges'),
    completeThroughUrl: urlOf('POST /sales/complete-through'),
    merchandisingUrl: urlOf('GET /merchandising/totals').replace(/\/totals$/, ''),
    stockUrl: urlOf('GET /stock'),
    warehouseUrl: engines.redshift.warehouseUrl(),
    ...(await timeSeriesOf(account)),
    lakeDir: engines.s3.directoryOf(variableOf(account, 'Finance', 'LAKE_BUCKET_NAME')),
    snapshotsDir: engines.s3.directoryOf(variableOf(account, 'Lake', 'SNAPSHOTS_BUCKET_NAME')),
    snapshotFunction: functionWith(account, 'Lake', 'SNAPSHOTS_BUCKET_NAME').name,
    reportsDir: engines.s3.directoryOf(variableOf(account, 'Finance', 'REPORT_BUCKET_NAME')),
    dailyCloseArn: dailyCloseOf(account),
    settlementBucket: variableOf(account, 'Finance', 'SETTLEMENT_BUCKET_NAME'),
    oltp: Object.fromEntries(
      [...account.sourceDatabases.values()].map(({ databaseName }) => [
        databaseName,
        account.postgres.url(databaseName),
      ]),
    ),
    aws: { endpoint: door.url, region: localRegion, ...administrator },
    control: `${door.url}/_control`,
  };
}

/** Of the engine that merchandising has. */
async function timeSeriesOf(account: LocalAccount): Promise<Pick<Endpoints, 'timeseriesUrl' | 'timestreamDatabase'>> {
  const timestreamDatabase = findFunctionWith(account, 'Merchandising', 'TIMESTREAM_DATABASE')?.environment
    .TIMESTREAM_DATABASE;
  if (timestreamDatabase !== undefined) return { timestreamDatabase };
  const secretArn = variableOf(account, 'Merchandising', 'READ_TOKEN_SECRET_ARN');
  const readToken = await secretValue(account, `secretsmanager:${secretArn}:SecretString:token`);
  const database = variableOf(account, 'Merchandising', 'SALES_DATABASE');
  const timeseriesUrl = `${account.door.url}/query?db=${database}&u=reader&p=${encodeURIComponent(readToken)}`;
  return { timeseriesUrl };
}

/** The one state machine that the template schedules. */
function dailyCloseOf({ schedules }: LocalAccount): string {
  for (const { target } of schedules) if ('stateMachineArn' in target) return target.stateMachineArn;
  throw new Error('the template schedules no state machine');
}

/** The value of a variable of a room's functions: how the run finds what the template has named. */
export function variableOf(account: LocalAccount, room: string, variable: string): string {
  return functionWith(account, room, variable).environment[variable]!;
}

function functionWith(account: LocalAccount, room: string, variable: string): LocalFunction {
  const found = findFunctionWith(account, room, variable);
  if (found === undefined) throw new Error(`no function of ${room} has the variable ${variable}`);
  return found;
}

function findFunctionWith({ functions }: LocalAccount, room: string, variable: string): LocalFunction | undefined {
  return [...functions.values()].find(
    ({ name, environment }) => name.startsWith(`Tillstream-local-${room}-`) && environment[variable] !== undefined,
  );
}

/** `secretsmanager:<arn or name>:SecretString[:<key>]`, as in `{{resolve:...}}`. */
export async function secretValue({ engines }: LocalAccount, reference: string): Promise<string> {
  const [, SecretId, key] = /^secretsmanager:(.+?):SecretString(?::([^:]*))?/.exec(reference) ?? [];
  if (SecretId === undefined) throw new Error(`dynamic reference {{resolve:${reference}}} is not modelled locally`);
  const { SecretString } = await engines.secretsManager.call('GetSecretValue', { SecretId });
  return key ? JSON.parse(SecretString)[key] : SecretString;
}
