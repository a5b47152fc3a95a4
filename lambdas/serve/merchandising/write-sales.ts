import type { KinesisStreamEvent } from 'aws-lambda';
import { s3Client } from '../../base/runtime/clients';
import { requireEnv } from '../../base/runtime/env';
import { holdRecords } from '../../base/runtime/held-records';
import { countMetrics } from '../../base/runtime/log';
import { salesIn } from '../../base/runtime/sales-in';
import { readBatch } from '../../base/runtime/stream-batch';
import { arrivalPointsOf, markPointsOf, pointsOf, SeriesMinutes, unreadablePointsOf } from './points';
import type { TimeSeriesWriter } from './time-series';

/**
 * The handler that writes the sales of a batch as points into the time series that merchandising reads. Each engine has a
 * function of its own, whose bundle carries its client only.
 *
 * On repeat: the same sale gives the same points, which overwrite themselves. On bad data: a record that is no sale is
 * held, with its reason, and the rest goes on; a sale older than the retention is counted (the lake has it). On failure:
 * the batch is thrown back whole and delivered again; what was written by then overwrites itself.
 */
export function salesWriter(timeSeries: TimeSeriesWriter): (event: KinesisStreamEvent) => Promise<void> {
  const s3 = s3Client();
  const heldBucketName = requireEnv('HELD_BUCKET_NAME');
  const seriesMinutes = new SeriesMinutes();

  return async (event) => {
    const { sales, marks, unreadable } = salesIn(readBatch(event));
    await holdRecords(s3, heldBucketName, 'held', unreadable);

    const once = new Map(sales.map(({ key, sale }) => [key, sale]));
    const points = [...once.values()].flatMap(pointsOf);
    const { beyondRetention, ahead = 0 } = await timeSeries.write([
      ...points,
      ...arrivalPointsOf(once.values()),
      ...unreadablePointsOf(once.values(), timeSeries, Date.now()),
    ]);
    // Only now: a mark says that the sales before it are written, or that it is written which of them cannot be read.
    await timeSeries.write(marks.flatMap((arrived) => markPointsOf(arrived.marks)));

    countMetrics({
      PointsWritten: points.length - beyondRetention - ahead,
      PointsBeyondRetention: beyondRetention,
      PointsAhead: ahead,
      PointsPerSeriesMinute: seriesMinutes.add(points),
      Held: unreadable.length,
    });
  };
}
