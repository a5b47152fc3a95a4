import { randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Bucket {
  readonly id: string;
  readonly orgId: string;
  name: string;
  description: string;
  /** 0: for ever. */
  retentionSeconds: number;
  readonly createdAt: string;
  updatedAt: string;
}

export interface Permission {
  readonly action: 'read' | 'write';
  readonly resource: { readonly type: string; readonly id?: string; readonly orgID?: string };
}

export interface Authorization {
  readonly id: string;
  readonly token: string;
  status: 'active' | 'inactive';
  description: string;
  readonly orgId: string;
  readonly permissions: readonly Permission[];
  readonly createdAt: string;
}

/** Makes a bucket known to InfluxQL as `database` and `policy`. */
export interface Mapping {
  readonly id: string;
  readonly orgId: string;
  readonly bucketId: string;
  readonly database: string;
  readonly policy: string;
  readonly isDefault: boolean;
  /** Follows from the bucket's name, as InfluxDB 2 has it for buckets without a mapping of their own. */
  readonly isVirtual: boolean;
}

/** What the instance is created with. */
export interface Provision {
  readonly username: string;
  readonly password: string;
  readonly organization: string;
  readonly bucket: string;
}

interface State {
  user: { id: string; name: string; password: string } | undefined;
  org: { id: string; name: string } | undefined;
  buckets: Bucket[];
  authorizations: Authorization[];
  mappings: Mapping[];
}

/** Who may do what: a user, its organization, buckets, tokens and sessions. Kept in a file, so that tokens outlive a run. */
export class Access {
  private readonly state: State;
  private readonly file: string;
  private readonly sessions = new Set<string>();

  constructor(
    directory: string,
    private readonly now: () => Date,
  ) {
    mkdirSync(directory, { recursive: true });
    this.file = join(directory, 'access.json');
    const empty: State = { user: undefined, org: undefined, buckets: [], authorizations: [], mappings: [] };
    this.state = existsSync(this.file) ? JSON.parse(readFileSync(this.file, 'utf8')) : empty;
  }

  /** Sets up the first user, its organization and bucket. Again with a kept state: only the password is taken anew. */
  provision({ username, password, organization, bucket }: Provision): void {
    this.state.org ??= { id: newId(), name: organization };
    this.state.user = { id: this.state.user?.id ?? newId(), name: username, password };
    if (this.bucketNamed(bucket) === undefined) this.createBucket(bucket, 0, '');
    this.save();
  }

  get org(): { id: string; name: string } | undefined {
    return this.state.org;
  }

  get user(): { id: string; name: string } | undefined {
    return this.state.user;
  }

  get buckets(): readonly Bucket[] {
    return this.state.buckets;
  }

  get authorizations(): readonly Authorization[] {
    return this.state.authorizations;
  }

  bucketNamed = (name: string): Bucket | undefined => this.state.buckets.find((bucket) => bucket.name === name);

  /** By id or name, as the write endpoint takes it. */
  bucket = (idOrName: string): Bucket | undefined =>
    this.state.buckets.find(({ id }) => id === idOrName) ?? this.bucketNamed(idOrName);

  createBucket(name: string, retentionSeconds: number, description: string): Bucket {
    const createdAt = this.now().toISOString();
    const bucket = {
      id: newId(),
      orgId: this.state.org!.id,
      name,
      description,
      retentionSeconds,
      createdAt,
      updatedAt: createdAt,
    };
    this.state.buckets.push(bucket);
    this.save();
    return bucket;
  }

  updateBucket(bucket: Bucket, changes: Partial<Pick<Bucket, 'name' | 'description' | 'retentionSeconds'>>): void {
    Object.assign(bucket, changes, { updatedAt: this.now().toISOString() });
    this.save();
  }

  createAuthorization(description: string, permissions: readonly Permission[]): Authorization {
    const authorization: Authorization = {
      id: newId(),
      token: randomBytes(64).toString('base64url').padEnd(88, '='),
      status: 'active',
      description,
      orgId: this.state.org!.id,
      permissions,
      createdAt: this.now().toISOString(),
    };
    this.state.authorizations.push(authorization);
    this.save();
    return authorization;
  }

  setStatus(authorization: Authorization, status: 'active' | 'inactive'): void {
    authorization.status = status;
    this.save();
  }

  deleteAuthorization(authorization: Authorization): void {
    this.state.authorizations = this.state.authorizations.filter(({ id }) => id !== authorization.id);
    this.save();
  }

  createMapping(mapping: Omit<Mapping, 'id' | 'orgId' | 'isVirtual'>): Mapping {
    const created = { ...mapping, id: newId(), orgId: this.state.org!.id, isVirtual: false };
    this.state.mappings.push(created);
    this.save();
    return created;
  }

  /** Mappings, explicit ones first. A virtual one gives way to an explicit one of the same names or default. */
  mappings(): Mapping[] {
    const explicit = this.state.mappings;
    const virtual = this.state.buckets.flatMap(({ id, orgId, name }): Mapping[] => {
      const [database, ...rest] = name.split('/');
      const policy = rest.length === 0 ? 'autogen' : rest.join('/');
      const rivals = explicit.filter((mapping) => mapping.database === database);
      if (rivals.some((mapping) => mapping.policy === policy)) return [];
      const isDefault = rest.length === 0 && !rivals.some((mapping) => mapping.isDefault);
      return [{ id, orgId, bucketId: id, database: database!, policy, isDefault, isVirtual: true }];
    });
    return [...explicit, ...virtual];
  }

  /** Starts a session; undefined where name or password are wrong. */
  signIn(name: string, password: string): string | undefined {
    const { user } = this.state;
    if (user === undefined || user.name !== name || !isEqual(user.password, password)) return undefined;
    const session = randomBytes(32).toString('base64url');
    this.sessions.add(session);
    return session;
  }

  /** What the bearer of a session may do: everything. */
  session(key: string): readonly Permission[] | undefined {
    return this.sessions.has(key) ? everything : undefined;
  }

  /** What the bearer of a token may do; undefined for an unknown or inactive one. */
  token(token: string): readonly Permission[] | undefined {
    return this.state.authorizations.find((known) => known.status === 'active' && isEqual(known.token, token))
      ?.permissions;
  }

  private save(): void {
    writeFileSync(this.file, JSON.stringify(this.state, null, 2), { mode: 0o600 });
  }
}

const everything: readonly Permission[] = ['buckets', 'authorizations', 'orgs', 'users'].flatMap((type) => [
  { action: 'read', resource: { type } },
  { action: 'write', resource: { type } },
]);

/** Whether permissions cover an action on one resource, or, without id, on its whole kind. */
export function allows(
  permissions: readonly Permission[],
  action: 'read' | 'write',
  type: string,
  id?: string,
): boolean {
  return permissions.some(
    ({ action: given, resource }) =>
      given === action && resource.type === type && (resource.id === undefined || resource.id === id),
  );
}

/** InfluxDB's ids are 64 bits in hexadecimal. */
const newId = (): string => randomBytes(8).toString('hex');

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
