import { gunzipSync } from 'node:zlib';
import { Access, allows, type Bucket, type Mapping, type Permission, type Provision } from './influxdb-access';
import { fail, type InfluxRequest, type InfluxResponse, json, noContent, version } from './influxdb-http';
import { BadQuery } from './influxdb-influxql-lexer';
import { parseQuery, type Statement } from './influxdb-influxql-parser';
import { BadLine, nanosecondsPer } from './influxdb-line';
import { manage } from './influxdb-management';
import { type Data, type ResultSeries, select } from './influxdb-select';
import { show, showDatabases, showPolicies, toDuration } from './influxdb-show';
import { type Expired, PointStore } from './influxdb-store';

export type { InfluxRequest, InfluxResponse } from './influxdb-http';

/** InfluxDB 2 as far as the platform uses it: line protocol in, InfluxQL out, tokens and retention in between. */
export interface InfluxDb {
  /** Sets up the first user, organization and bucket, as Timestream does when it creates an instance. */
  provision(options: Provision): void;
  handle(request: InfluxRequest): Promise<InfluxResponse>;
  /** Every point, series, bucket and description, as text. Tokens and passwords are left out. */
  contents(): AsyncIterable<{ readonly where: string; readonly text: string }>;
  close(): Promise<void>;
}

export interface InfluxDbOptions {
  readonly directory: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export async function openInfluxDb({ directory, now = Date.now }: InfluxDbOptions): Promise<InfluxDb> {
  const access = new Access(directory, () => new Date(now()));
  const store = await PointStore.open(directory);
  const server = new Server(access, store, now);
  return {
    provision: (options) => access.provision(options),
    handle: (request) => server.handle(request),
    contents: async function* () {
      yield { where: 'buckets', text: JSON.stringify([access.org, access.buckets, access.mappings()]) };
      yield { where: 'authorizations', text: access.authorizations.map(({ description }) => description).join('\n') };
      yield* store.contents();
    },
    close: () => store.close(),
  };
}

class Server {
  constructor(
    private readonly access: Access,
    private readonly store: PointStore,
    private readonly now: () => number,
  ) {}

  async handle(request: InfluxRequest): Promise<InfluxResponse> {
    const { method, path } = request;
    if (path === '/ping') return noContent();
    if (path === '/health')
      return json(200, {
        name: 'influxdb',
        message: 'ready for queries and writes',
        status: 'pass',
        checks: [],
        version,
      });
    if (path === '/api/v2/signin') return this.signIn(request);
    const permissions = this.authenticate(request);
    if (permissions === undefined) return fail(401, 'unauthorized access');
    if (path === '/write' || path === '/api/v2/write') {
      if (method !== 'POST') return fail(405, 'allowed methods: POST');
      return path === '/write' ? this.writeToDatabase(request, permissions) : this.writeToBucket(request, permissions);
    }
    if (path === '/query') return this.query(request, permissions);
    if (path.startsWith('/api/v2/')) return manage(this.access, permissions, request);
    return fail(404, `path not found: ${path}`);
  }

  private signIn({ method, headers }: InfluxRequest): InfluxResponse {
    const [name, password] = readBasic(headers.authorization) ?? [];
    const session = method === 'POST' && name && password ? this.access.signIn(name, password) : undefined;
    if (session === undefined) return fail(401, 'unauthorized access');
    return noContent({ 'Set-Cookie': `influxdb-oss-session=${session}; Path=/api/; HttpOnly; SameSite=Strict` });
  }

  /** A token in the header, as Basic password or as `p`; or, for /api/v2 only, a session's cookie. */
  private authenticate({ path, query, headers }: InfluxRequest): readonly Permission[] | undefined {
    const isV1 = path === '/write' || path === '/query';
    const inUrl = isV1 && query.get('u') ? query.get('p') : null;
    if (inUrl) return this.access.token(inUrl);
    const header = String(headers.authorization ?? '');
    const [, token] = /^(?:Token|Bearer) (\S+)$/.exec(header) ?? [];
    // The v1 endpoints also take `Token user:token`.
    if (token !== undefined) return this.access.token(isV1 ? token.slice(token.indexOf(':') + 1) : token);
    const [, password] = (isV1 && readBasic(headers.authorization)) || [];
    if (password !== undefined) return this.access.token(password);
    const [, session] = /(?:^|;\s*)influxdb-oss-session=([^;]+)/.exec(String(headers.cookie ?? '')) ?? [];
    return isV1 || session === undefined ? undefined : this.access.session(session);
  }

  private async writeToDatabase(request: InfluxRequest, permissions: readonly Permission[]): Promise<InfluxResponse> {
    const database = request.query.get('db');
    if (!database) return fail(400, 'missing db');
    const policy = request.query.get('rp') || undefined;
    // A token that may only write finds the database all the same; see InfluxDB's own write handler.
    const mapping = this.mapping(database, policy, ({ bucketId }) =>
      (['read', 'write'] as const).some((action) => allows(permissions, action, 'buckets', bucketId)),
    );
    if (mapping === undefined) return fail(404, 'no dbrp mapping found');
    return this.write(request, permissions, this.access.bucket(mapping.bucketId)!);
  }

  private async writeToBucket(request: InfluxRequest, permissions: readonly Permission[]): Promise<InfluxResponse> {
    const { query } = request;
    const [org, name] = [query.get('org') ?? query.get('orgID'), query.get('bucket')];
    if (org !== this.access.org?.id && org !== this.access.org?.name)
      return fail(404, `organization name "${org}" not found`);
    const bucket = name ? this.access.bucket(name) : undefined;
    if (bucket === undefined) return fail(404, `bucket "${name}" not found`);
    return this.write(request, permissions, bucket);
  }

  private async write(
    { query, headers, body }: InfluxRequest,
    permissions: readonly Permission[],
    bucket: Bucket,
  ): Promise<InfluxResponse> {
    if (!allows(permissions, 'write', 'buckets', bucket.id)) return fail(403, 'insufficient permissions for write');
    const precision = query.get('precision') || 'ns';
    const nanoseconds = Object.hasOwn(nanosecondsPer, precision)
      ? nanosecondsPer[precision as keyof typeof nanosecondsPer]
      : undefined;
    if (nanoseconds === undefined)
      return fail(400, `invalid precision ${precision}: ${Object.keys(nanosecondsPer).join(', ')} are valid`);
    const now = BigInt(this.now()) * 1_000_000n;
    const oldest = bucket.retentionSeconds > 0 ? now - BigInt(bucket.retentionSeconds) * 1_000_000_000n : undefined;
    try {
      const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString('utf8');
      const lines = { text, nanoseconds, now: now - (now % nanoseconds) };
      const { dropped, expired } = await this.store.write(bucket.id, lines, oldest);
      const partial = 'failure writing points to database: partial write:';
      if (dropped !== undefined) return fail(422, `${partial} ${dropped.reason} dropped=${dropped.count}`);
      if (expired.length > 0) return fail(422, `${partial} ${wordExpired(expired, bucket, oldest!)}`);
      return noContent();
    } catch (error) {
      if (error instanceof BadLine) return fail(400, error.message);
      throw error;
    }
  }

  private async query(
    { method, query, headers, body }: InfluxRequest,
    permissions: readonly Permission[],
  ): Promise<InfluxResponse> {
    const isForm =
      method === 'POST' && String(headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
    const form = isForm ? new URLSearchParams(body.toString()) : new URLSearchParams();
    const asked = (name: string): string | undefined => form.get(name) || query.get(name) || undefined;
    const text = asked('q') ?? (headers['content-type'] === 'application/vnd.influxql' ? body.toString() : undefined);
    if (text === undefined) return fail(400, 'missing required parameter "q"');
    let statements: Statement[];
    try {
      statements = parseQuery(text);
    } catch (error) {
      if (error instanceof BadQuery) return fail(400, error.message);
      throw error;
    }
    const results: unknown[] = [];
    for (const [index, statement] of statements.entries()) {
      try {
        const series = await this.run(statement, asked('db'), asked('rp'), permissions);
        const shown = series.map(({ name, values, ...rest }) => ({
          ...(name && { name }),
          ...rest,
          values:
            rest.columns[0] === 'time'
              ? values.map(([time, ...others]) => [showTime(time as bigint, asked('epoch')), ...others])
              : values,
        }));
        results.push({ statement_id: index, ...(shown.length > 0 && { series: shown }) });
      } catch (error) {
        if (!(error instanceof BadQuery)) throw error;
        results.push({ statement_id: index, error: error.message });
        // What follows a failed statement is not run.
        break;
      }
    }
    return json(200, { results });
  }

  private async run(
    statement: Statement,
    database: string | undefined,
    policy: string | undefined,
    permissions: readonly Permission[],
  ): Promise<ResultSeries[]> {
    const readable = ({ bucketId }: Mapping): boolean => allows(permissions, 'read', 'buckets', bucketId);
    const visible = this.access.mappings().filter(readable);
    if (statement.kind === 'show' && statement.subject === 'databases')
      return showDatabases(visible.map((mapping) => mapping.database));
    const named = (statement.kind === 'show' ? statement.database : undefined) ?? database;
    const bucketOf = (name: string | undefined, rp: string | undefined): string => {
      if (name === undefined) throw new BadQuery('database name required');
      const mapping = this.mapping(name, rp, readable);
      if (mapping === undefined) throw new BadQuery(`database not found: ${name}`);
      return mapping.bucketId;
    };
    const data: Data = {
      now: BigInt(this.now()) * 1_000_000n,
      rows: (sql) => this.store.rows(sql),
      measurements: (source) => {
        const all = this.store.measurements(bucketOf(source.database ?? named, source.policy ?? policy));
        const pattern = source.isRegex ? new RegExp(source.name) : undefined;
        return all.filter(({ name }) => (pattern ? pattern.test(name) : name === source.name));
      },
    };
    // Fields and tags of buffered points have no columns yet.
    await this.store.flush();
    if (statement.kind === 'select') return select(statement, data);
    const bucket = bucketOf(named, policy);
    if (statement.subject === 'retention policies') {
      const policies = visible.filter((mapping) => mapping.database === named);
      return showPolicies(
        policies.map((mapping) => ({
          name: mapping.policy,
          bucket: this.access.bucket(mapping.bucketId)!,
          isDefault: mapping.isDefault,
        })),
      );
    }
    return show(statement, data, this.store.measurements(bucket));
  }

  private mapping(
    database: string,
    policy: string | undefined,
    isVisible: (mapping: Mapping) => boolean,
  ): Mapping | undefined {
    return this.access
      .mappings()
      .filter(isVisible)
      .find(
        (mapping) =>
          mapping.database === database && (policy === undefined ? mapping.isDefault : mapping.policy === policy),
      );
  }
}

const perUnit: Readonly<Record<string, bigint>> = { ...nanosecondsPer, m: 60_000_000_000n, h: 3_600_000_000_000n };

function showTime(time: bigint, epoch: string | undefined): bigint | string {
  return epoch === undefined ? toRfc3339(time) : time / (perUnit[epoch] ?? 1n);
}

/** RFC 3339 with as many digits of a second as are needed. */
function toRfc3339(time: bigint): string {
  const fraction = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const second = new Date(Number((time - fraction) / 1_000_000n)).toISOString().slice(0, 19);
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '');
  return `${second}${digits === '' ? '' : `.${digits}`}Z`;
}

function wordExpired(expired: readonly Expired[], bucket: Bucket, oldest: bigint): string {
  const bound = `dropped because it violates a Retention Policy Lower Bound at ${toRfc3339(oldest)}`;
  const sorted = [...expired].sort((one, other) => (one.time < other.time ? -1 : 1));
  const word = ({ key, time }: Expired): string => `point ${key} at ${toRfc3339(time)} ${bound}`;
  return (
    `dropped ${expired.length} points outside retention policy of duration ${toDuration(bucket.retentionSeconds)} - oldest ${word(sorted[0]!)}, ` +
    `newest ${word(sorted.at(-1)!)} dropped=${expired.length} for database: ${bucket.id} for retention policy: autogen`
  );
}

function readBasic(header: string | string[] | undefined): [string, string] | undefined {
  const [, encoded] = /^Basic (\S+)$/.exec(String(header ?? '')) ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1)];
}
