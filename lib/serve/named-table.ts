import { Aws } from 'aws-cdk-lib';
import { CfnTable } from 'aws-cdk-lib/aws-glue';
import type { Construct } from 'constructs';
import type { Column } from '../../lambdas/base/domain/lake-rows';
import type { LakePlace } from './lake-table';

export interface NamedTable {
  readonly name: string;
  readonly description: string;
  readonly columns: readonly Column[];
  readonly partition: string;
  /** How Athena finds the partitions: by a given name only, or by date. */
  readonly projection: Readonly<Record<string, string>>;
  readonly location: string;
  /** Whether lists of files lie there, which are read where they are, or the files. */
  readonly isListed: boolean;
}

const parquet = 'org.apache.hadoop.hive.ql.io.parquet';
/** For what is known by name, and what nothing lists: a query must say which. */
export const askedByName = { type: 'injected' };

/** A Parquet table of the lake that functions fill through Athena. */
export function namedTable(scope: Construct, { database, databaseName }: LakePlace, table: NamedTable): CfnTable {
  const { name, description, columns, partition, projection, location, isListed } = table;
  const resource = new CfnTable(scope, name, {
    catalogId: Aws.ACCOUNT_ID,
    databaseName,
    tableInput: {
      name,
      description,
      tableType: 'EXTERNAL_TABLE',
      parameters: {
        classification: 'parquet',
        'projection.enabled': 'true',
        ...Object.fromEntries(
          Object.entries(projection).map(([property, value]) => [`projection.${partition}.${property}`, value]),
        ),
        'storage.location.template': `${location}${partition}=\${${partition}}/`,
      },
      partitionKeys: [{ name: partition, type: 'string' }],
      storageDescriptor: {
        columns: columns.map(({ name: column, type, comment }) => ({ name: column, type, comment })),
        location,
        inputFormat: isListed
          ? 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'
          : `${parquet}.MapredParquetInputFormat`,
        outputFormat: isListed
          ? 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
          : `${parquet}.MapredParquetOutputFormat`,
        serdeInfo: { serializationLibrary: `${parquet}.serde.ParquetHiveSerDe` },
      },
    },
  });
  resource.addResourceDependency(database);
  return resource;
}
