import { Aws } from 'aws-cdk-lib';
import { CfnTable } from 'aws-cdk-lib/aws-glue';
import { Construct } from 'constructs';
import type { Column, LakeRowTable } from '../../lambdas/base/domain/lake-rows';
import { lakeViewColumns, lakeViewQuery } from '../../lambdas/base/domain/lake-views';
import type { LakePlace } from './lake-table';

export interface LakeViewProps extends LakePlace {
  /** People type it in Athena. */
  readonly name: string;
  readonly table: LakeRowTable;
}

const prestoTypes = { string: 'varchar', bigint: 'bigint', timestamp: 'timestamp(3)' } as const;

/** A view of a table of the lake that has one row per key, whatever its files repeat. */
export class LakeView extends Construct {
  readonly resource: CfnTable;

  constructor(scope: Construct, id: string, { name, table, database, databaseName }: LakeViewProps) {
    super(scope, id);
    const columns = lakeViewColumns(table);
    this.resource = new CfnTable(this, 'View', {
      catalogId: Aws.ACCOUNT_ID,
      databaseName,
      tableInput: {
        name,
        description: `${table.name}, one row per key`,
        tableType: 'VIRTUAL_VIEW',
        parameters: { comment: 'Presto View', presto_view: 'true' },
        partitionKeys: [],
        storageDescriptor: {
          columns: columns.map(({ name: column, type, comment }) => ({ name: column, type, comment })),
          location: '',
        },
        viewOriginalText: encoded(lakeViewQuery(table), columns, databaseName),
        viewExpandedText: '/* Presto View */',
      },
    });
    this.resource.addResourceDependency(database);
  }
}

/** A view as Athena writes it into the catalog: there is no other way to make one that it reads. */
function encoded(originalSql: string, columns: readonly Column[], schema: string): string {
  const view = {
    originalSql,
    catalog: 'awsdatacatalog',
    schema,
    columns: columns.map(({ name, type }) => ({ name, type: prestoTypes[type] })),
  };
  return `/* Presto View: ${Buffer.from(JSON.stringify(view)).toString('base64')} */`;
}
