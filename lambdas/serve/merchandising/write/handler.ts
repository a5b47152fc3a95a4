import type { KinesisStreamEvent } from 'aws-lambda';
import { parseSale, type Sale, saleKey } from '../../../base/domain/sale';
import { s3Client, secretsManagerClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { type HeldRecord, holdRecords } from '../../../base/runtime/held-records';
import { countMetrics } from '../../../base/runtime/log';
import { readBatch } from '../../../base/runtime/stream-batch';
import { pointsOf, SeriesMinutes } from './points';
import { influxDb } from './time-series';

const s3 = s3Client();
const heldBucketName = requireEnv('HELD_BUCKET_NAME');
const timeSeries = influxDb({
  url: `https://${requireEnv('INFLUXDB_ENDPOINT')}:8086`,
  databases: { sales: requireEnv('SALES_DATABASE'), items: requireEnv('ITEMS_DATABASE') },
  secrets: secretsManagerClient(),
  tokenSecretArn: requireEnv('WRITE_TOKEN_SECRET_ARN'),
});
const seriesMinutes = new SeriesMinutes();

/**
 * Writes the sales of a batch as points into the time series that merchandising reads.
 *
 * On repeat: the same sale gives the same points, which overwrite themselves. On bad data: a record that is no sale is
 * held, with its reason, and the rest goes on; a sale older than the retention is counted (the lake has it). On failure:
 * the batch is thrown back whole and delivered again; what was written by then overwrites itself.
 */
export async function handler(event: KinesisStreamEvent): Promise<void> {
  const sales = new Map<string, Sale>();
  const held: HeldRecord[] = [];
  for (const record of readBatch(event)) {
    const sale = parseSale(record.text);
    if ('reason' in sale) held.push({ record, reason: sale.reason });
    else sales.set(saleKey(sale), sale);
  }

  await holdRecords(s3, heldBucketName, 'held', held);
  const points = [...sales.values()].flatMap(pointsOf);
  const { beyondRetention } = await timeSeries.write(points);

  countMetrics({
    PointsWritten: points.length - beyondRetention,
    PointsBeyondRetention: beyondRetention,
    PointsPerSeriesMinute: seriesMinutes.add(points),
    Held: held.length,
  });
}
