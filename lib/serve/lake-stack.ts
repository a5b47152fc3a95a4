import { Aws, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnDatabase } from 'aws-cdk-lib/aws-glue';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { lakeViews, saleLines, saleTenders } from '../../lambdas/base/domain/sale-rows';
import { EncryptionKey } from '../base/encryption-key';
import { heldBucket, privateBucket } from '../base/private-bucket';
import { QueryWorkgroup } from '../base/query-workgroup';
import type { Signal } from '../base/signal';
import { StreamConsumer } from '../base/stream-consumer';
import type { Stage } from '../stages';
import { LakeCompaction } from './lake-compaction';
import { LakeSnapshots, snapshotFolders } from './lake-snapshots';
import { type LakePlace, LakeTable } from './lake-table';
import { LakeView } from './lake-views';

export interface LakeStackProps extends StackProps {
  readonly stage: Stage;
  readonly sales: Stream;
}

const impact = 'the lake, and the ledger behind it, lack the newest sales';

/**
 * The full history of sales as Parquet, a row per line and a row per tender, by the date of their acceptance: what data
 * science reads and what finance loads. Every accepted sale comes here, and nothing here expires.
 */
export class LakeStack extends Stack {
  readonly bucket: Bucket;
  readonly key: Key;
  readonly databaseName: string;
  /** For tables of other rooms: they own their rows and their delivery, and lie beside those of the sales. */
  readonly place: LakePlace;
  /** Where people and functions ask Athena about the lake. */
  readonly workgroup: QueryWorkgroup;
  /** Immutable training sets, a folder a week. */
  readonly snapshots: Bucket;
  readonly saleLines: LakeTable;
  readonly saleTenders: LakeTable;
  readonly signals: readonly Signal[];
  /** Days after its date in which a file can still appear under it: twice held to the last and redriven to the last. */
  readonly fileDelayDays: number;

  constructor(scope: Construct, id: string, { stage, sales, ...props }: LakeStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream lake' });
    this.key = key;
    this.bucket = privateBucket(this, 'Bucket', { stage, key });
    this.fileDelayDays = 2 * (Math.ceil(stage.streams.retentionHours / 24) + stage.redriveDays) + 2;

    // People type this name in Athena.
    this.databaseName = `tillstream_${stage.name}`;
    const database = new CfnDatabase(this, 'Database', {
      catalogId: Aws.ACCOUNT_ID,
      databaseInput: {
        name: this.databaseName,
        description: 'Sales of every channel and region, card numbers as tokens; what badges went by',
      },
    });
    this.place = { key, bucket: this.bucket, database, databaseName: this.databaseName };
    this.saleLines = new LakeTable(this, 'SaleLines', { stage, roomKey: key, ...this.place, table: saleLines });
    this.saleTenders = new LakeTable(this, 'SaleTenders', { stage, roomKey: key, ...this.place, table: saleTenders });

    // People type these names in Athena, too.
    const views = lakeViews.map(({ view, table }) => {
      const id = `${view[0]!.toUpperCase()}${view.slice(1)}`;
      return new LakeView(this, id, { ...this.place, name: view, table });
    });

    this.workgroup = new QueryWorkgroup(this, 'Queries', {
      stage,
      key,
      name: `tillstream-${stage.name}`,
      description: 'Queries on the lake of sales',
      folders: snapshotFolders(stage),
    });

    const snapshots = new LakeSnapshots(this, 'Snapshots', {
      stage,
      ...this.place,
      workgroup: this.workgroup,
      fileDelayDays: this.fileDelayDays,
    });
    this.snapshots = snapshots.bucket;
    const compaction = new LakeCompaction(this, 'Compaction', {
      stage,
      ...this.place,
      workgroup: this.workgroup,
      fileDelayDays: this.fileDelayDays,
    });
    compaction.node.addDependency(...views);

    const held = heldBucket(this, 'Held', { stage, key });
    const writer = new StreamConsumer(this, 'Writer', {
      stage,
      directory: 'serve/lake/write',
      description: 'Writes the rows of sales into the lake',
      key,
      // A batch of long sales with long notes is 150 MB of rows, and Firehose takes 5 MB a second.
      timeout: Duration.minutes(2),
      memoryMebibytes: 512,
      stream: sales,
      heldBucket: held,
      batchSize: 500,
      // Firehose gathers for a minute and more anyway; fuller batches fill the 5 KB steps in which it bills.
      batchingWindow: Duration.seconds(10),
      enhancedFanOut: stage.streams.enhancedFanOut,
      reader: 'Lake',
      impact,
    });
    this.saleLines.writableBy(writer.consumer, 'LINES_STREAM_NAME');
    this.saleTenders.writableBy(writer.consumer, 'TENDERS_STREAM_NAME');
    writer.consumer.holdsIn(held, 'held', 'HELD_BUCKET_NAME');

    this.signals = [
      ...writer.signals,
      ...this.saleLines.signals('LakeLines', impact),
      ...this.saleTenders.signals('LakeTenders', impact),
      ...snapshots.signals,
      ...compaction.signals,
    ];
  }
}
