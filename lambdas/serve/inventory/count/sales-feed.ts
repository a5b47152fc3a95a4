import type { S3Client } from '@aws-sdk/client-s3';
import { type HeldRecord, holdRecords } from '../../../base/runtime/held-records';
import type { BeatRecord, SaleRecord } from '../../../base/runtime/sales-in';
import type { BeatsTable } from '../../badges/beats-table';
import { isSuspicious } from '../../badges/given-up';
import type { HeldRegistry } from '../../badges/held-registry';
import { ageSecondsOf, type Beat, type BeatsItem, oldestBeat } from '../../badges/watermark';
import { GivenUpSales } from '../given-up-sales';

export interface SalesFeedProps {
  readonly beats: BeatsTable;
  readonly registry: HeldRegistry;
  readonly s3: S3Client;
  readonly heldBucket: string;
  readonly retentionHours: number;
}

const feed = 'sales';

/** How far the counting of sales has come, kept as it is of a source database: by beats, and by what is held. */
export class SalesFeed {
  readonly #givenUp: GivenUpSales;

  constructor(private readonly props: SalesFeedProps) {
    this.#givenUp = new GivenUpSales(props);
  }

  async read(): Promise<BeatsItem> {
    return (await this.props.beats.read([feed])).get(feed)!;
  }

  /** Holds records that are no sales. Any position may lack what they say, from what was known before them on. */
  async hold(unreadable: readonly HeldRecord[], known: BeatsItem): Promise<void> {
    if (unreadable.length === 0) return;
    const { s3, heldBucket, registry } = this.props;
    await holdRecords(s3, heldBucket, 'held', unreadable);
    const added = unreadable.map(({ record }) => {
      const arrivedAt = record.original.kinesis.approximateArrivalTimestamp * 1_000;
      const since = new Date(Math.min(arrivedAt, oldestBeat(known.beats) ?? arrivedAt)).toISOString();
      return { id: record.position, since, epoch: 0 };
    });
    await registry.revise(feed, (marks) => ({
      marks: [...marks, ...added.filter(({ id }) => !marks.some((mark) => mark.id === id))],
    }));
  }

  /** Takes back what is held of records that were counted now: they were redriven. */
  async release(counted: readonly SaleRecord[], { held }: BeatsItem): Promise<void> {
    if (held === 0) return;
    const positions = new Set(counted.map(({ record }) => record.position));
    await this.props.registry.revise(feed, (marks) => ({ marks: marks.filter(({ id }) => !positions.has(id)) }));
  }

  /** Notes beats: all sales before them must be counted by now. */
  async note(records: readonly BeatRecord[], known: BeatsItem): Promise<void> {
    const arrivals = records.map(({ record }) => record.original.kinesis.approximateArrivalTimestamp * 1_000);
    // A batch before this one may be missing, and its beats would hide it.
    if (isSuspicious(Math.min(...arrivals))) await this.#givenUp.check();
    const newest = new Map<string, Beat>();
    for (const { record, beat } of records) {
      const { slot, beatAt } = beat;
      // Written by one clock, so its order is that of the time it says.
      if (beatAt <= (newest.get(slot)?.position ?? '')) continue;
      const arrivedAt = new Date(record.original.kinesis.approximateArrivalTimestamp * 1_000).toISOString();
      newest.set(slot, { beatAt, position: beatAt, arrivedAt });
    }
    await this.props.beats.note(feed, known.beats, newest);
  }

  async ageSeconds(): Promise<number> {
    return ageSecondsOf([await this.read()], Date.now());
  }
}
