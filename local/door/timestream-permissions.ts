import { type NamedTable, tablesIn } from '../engines/timestream-sql';
import { arn, keyUse, type Permission, type PermissionRules, type ResourceLookup } from './permission';

export const timestreamPermissions: PermissionRules = {
  // A list of addresses, so it has no resource.
  DescribeEndpoints: () => [{ action: 'timestream:DescribeEndpoints', resource: '*' }],
  WriteRecords: ({ DatabaseName, TableName }, lookup) =>
    onTable('WriteRecords', { database: DatabaseName, table: TableName }, lookup),
  // A query is allowed by what it reads.
  Query: ({ QueryString }, lookup) => tablesIn(QueryString).flatMap((table) => onTable('Select', table, lookup)),
};

/** The key is that of the database. */
function onTable(action: string, { database, table }: NamedTable, lookup: ResourceLookup): Permission[] {
  const databaseArn = arn('timestream', 'database/', database);
  return [
    { action: `timestream:${action}`, resource: `${databaseArn}/table/${table}` },
    ...keyUse('kms:Decrypt', 'timestream', databaseArn, lookup),
  ];
}
