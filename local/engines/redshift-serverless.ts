import { randomUUID } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';
import { AwsError, type Engine, localAccount, localRegion } from './engine';
import type { PostgresServer } from './postgres';

/** A namespace as its API shows it. */
export interface Namespace {
  readonly namespaceName: string;
  readonly namespaceArn: string;
  readonly namespaceId: string;
  readonly adminUsername: string;
  readonly dbName: string;
  readonly adminPasswordSecretArn?: string;
  readonly defaultIamRoleArn?: string;
  readonly iamRoles: readonly string[];
  readonly status: 'AVAILABLE';
  readonly creationDate: string;
}

/** Functions of Redshift that PostgreSQL lacks. They lie in pg_catalog, so that no search path and no grant matters. */
const functions = `
  create or replace function pg_catalog.getdate() returns timestamp stable language sql
    as $$ select date_trunc('second', statement_timestamp() at time zone 'UTC') $$;
  create or replace function pg_catalog.sysdate() returns timestamp stable language sql
    as $$ select transaction_timestamp() at time zone 'UTC' $$;
  create or replace function pg_catalog.nvl(anycompatible, anycompatible) returns anycompatible immutable language sql
    as $$ select coalesce($1, $2) $$;
  create or replace function pg_catalog.len(text) returns int immutable language sql as $$ select length($1) $$;
  create or replace function pg_catalog.sha2(text, int) returns text immutable language sql
    as $$ select encode(case $2 when 224 then sha224($1::bytea) when 384 then sha384($1::bytea) when 512 then sha512($1::bytea) else sha256($1::bytea) end, 'hex') $$;
  create or replace function pg_catalog.dateadd(part text, amount bigint, at timestamp) returns timestamp immutable language sql
    as $$ select at + amount * ('1 ' || part)::interval $$;
  create or replace function pg_catalog.datediff(part text, earlier timestamp, later timestamp) returns bigint immutable language sql
    as $$ select case part
      when 'year' then date_part('year', later) - date_part('year', earlier)
      when 'month' then (date_part('year', later) - date_part('year', earlier)) * 12 + date_part('month', later) - date_part('month', earlier)
      else (extract(epoch from date_trunc(part, later)) - extract(epoch from date_trunc(part, earlier)))
        / extract(epoch from ('1 ' || part)::interval) end::bigint $$;`;

/**
 * Namespaces and workgroups. They are made anew from the template at every start; the databases behind them are kept by
 * PostgreSQL, so creating a namespace whose database exists takes that up again.
 */
export class RedshiftServerless implements Engine {
  readonly service = 'redshift-serverless';
  private readonly namespaces = new Map<string, Namespace>();
  private readonly workgroups = new Map<string, any>();

  constructor(private readonly postgres: PostgresServer) {}

  async call(operation: string, input: any): Promise<any> {
    switch (operation) {
      case 'CreateNamespace':
        return { namespace: await this.createNamespace(input) };
      case 'GetNamespace':
        return { namespace: this.namespace(input.namespaceName) };
      case 'CreateWorkgroup':
        return { workgroup: this.createWorkgroup(input) };
      case 'GetWorkgroup':
        return { workgroup: this.workgroup(input.workgroupName) };
      default:
        throw new AwsError('UnknownOperationException', `redshift-serverless:${operation} is not modelled locally`);
    }
  }

  /** The namespace that a workgroup works on; undefined where there is no such workgroup. */
  namespaceOf(workgroupName: string): Namespace | undefined {
    const workgroup = this.workgroups.get(workgroupName);
    return workgroup && this.namespaces.get(workgroup.namespaceName);
  }

  /** Every database of every namespace. */
  databases(): string[] {
    return [...new Set([...this.namespaces.values()].map(({ dbName }) => dbName))];
  }

  async *contents(): AsyncIterable<{ where: string; text: string }> {
    for (const namespace of this.namespaces.values())
      yield { where: namespace.namespaceArn, text: JSON.stringify(namespace) };
    for (const workgroup of this.workgroups.values())
      yield { where: workgroup.workgroupArn, text: JSON.stringify(workgroup) };
  }

  async close(): Promise<void> {}

  private async createNamespace(input: any): Promise<Namespace> {
    const {
      namespaceName,
      dbName = 'dev',
      adminUsername = 'admin',
      adminPasswordSecretArn,
      defaultIamRoleArn,
      iamRoles = [],
    } = input;
    if (this.namespaces.has(namespaceName))
      throw new AwsError('ConflictException', `Namespace ${namespaceName} already exists.`);
    await this.postgres.createDatabase(dbName);
    const client = new Client({ connectionString: this.postgres.url(dbName) });
    await client.connect();
    try {
      const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1::name', [
        adminUsername.toLowerCase(),
      ]);
      // The administrator of a namespace is a superuser of it.
      if (rowCount === 0)
        await client.query(`create role ${escapeIdentifier(adminUsername.toLowerCase())} login superuser`);
      await client.query(functions);
      // As in Redshift, where every user may create tables in the schema public.
      await client.query('grant create on schema public to public');
    } finally {
      await client.end();
    }
    const namespaceId = randomUUID();
    const namespace: Namespace = {
      namespaceName,
      namespaceId,
      namespaceArn: `arn:aws:redshift-serverless:${localRegion}:${localAccount}:namespace/${namespaceId}`,
      adminUsername,
      dbName,
      iamRoles,
      ...(adminPasswordSecretArn && { adminPasswordSecretArn }),
      ...(defaultIamRoleArn && { defaultIamRoleArn }),
      status: 'AVAILABLE',
      creationDate: new Date().toISOString(),
    };
    this.namespaces.set(namespaceName, namespace);
    return namespace;
  }

  private createWorkgroup(input: any): any {
    const { workgroupName, namespaceName, baseCapacity, subnetIds, securityGroupIds } = input;
    if (this.workgroups.has(workgroupName))
      throw new AwsError('ConflictException', `Workgroup ${workgroupName} already exists.`);
    this.namespace(namespaceName);
    const workgroupId = randomUUID();
    const workgroup = {
      workgroupName,
      namespaceName,
      workgroupId,
      workgroupArn: `arn:aws:redshift-serverless:${localRegion}:${localAccount}:workgroup/${workgroupId}`,
      baseCapacity,
      subnetIds,
      securityGroupIds,
      status: 'AVAILABLE',
      creationDate: new Date().toISOString(),
      endpoint: { address: '127.0.0.1', port: this.postgres.port },
    };
    this.workgroups.set(workgroupName, workgroup);
    return workgroup;
  }

  private namespace(name: string): Namespace {
    const namespace = this.namespaces.get(name);
    if (namespace === undefined)
      throw new AwsError('ResourceNotFoundException', `The namespace ${name} was not found.`);
    return namespace;
  }

  private workgroup(name: string): any {
    const workgroup = this.workgroups.get(name);
    if (workgroup === undefined)
      throw new AwsError('ResourceNotFoundException', `The workgroup ${name} was not found.`);
    return workgroup;
  }
}
