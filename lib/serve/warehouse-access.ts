import type { CfnRole } from 'aws-cdk-lib/aws-iam';
import type { CfnWorkgroup } from 'aws-cdk-lib/aws-redshiftserverless';
import type { NodeFunction } from '../base/node-function';

/** The ledger's database, as functions reach it. */
export interface Warehouse {
  readonly workgroup: CfnWorkgroup;
  readonly databaseName: string;
}

/** Runs SQL on the workgroup. Statements have no ARN, so asking for their outcome has no resource. */
export function asksWarehouse(fn: NodeFunction, { workgroup, databaseName }: Warehouse): void {
  fn.allow(
    ['redshift-data:ExecuteStatement', 'redshift-data:BatchExecuteStatement'],
    [workgroup.attrWorkgroupWorkgroupArn],
  )
    .allow(['redshift-data:DescribeStatement', 'redshift-data:GetStatementResult'], ['*'])
    .environment('WORKGROUP_NAME', workgroup.workgroupName)
    .environment('DATABASE_NAME', databaseName);
}

/**
 * Runs SQL as a database user of its own, which is named after its role. Redshift folds those names to lower case: so they
 * are lower case to begin with.
 */
export function actsOnWarehouse(fn: NodeFunction, warehouse: Warehouse, roleName: string): void {
  asksWarehouse(fn, warehouse);
  fn.allow(['redshift-serverless:GetCredentials'], [warehouse.workgroup.attrWorkgroupWorkgroupArn]);
  (fn.role.node.defaultChild as CfnRole).roleName = roleName;
}
