import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { signOf } from '../../../base/domain/sale';
import type { SaleRecord } from '../../../base/runtime/sales-in';
import { bucketAt } from '../sold-buckets';

/** A sale as far as stock goes: what its pack must know to be counted again from the start. */
export interface PackedSale {
  /** `<source>#<transactionId>`: its claim. */
  readonly key: string;
  /** The record's place in the stream. */
  readonly record: string;
  readonly location: string;
  readonly bucket: string;
  /** By SKU: units, negative for returns, and lines. */
  readonly counts: readonly (readonly [sku: string, units: number, lines: number])[];
}

/** What a pack's sales add to one position. */
export interface PositionCounts {
  readonly sku: string;
  readonly location: string;
  readonly sold: ReadonlyMap<string, number>;
  readonly lines: number;
  readonly records: readonly string[];
}

export function packedSale({ key, record, sale }: SaleRecord): PackedSale {
  const counts = new Map<string, { units: number; lines: number }>();
  for (const { sku, quantity } of sale.lines) {
    const count = counts.get(sku) ?? { units: 0, lines: 0 };
    counts.set(sku, count);
    count.units += signOf(sale) * quantity;
    count.lines += 1;
  }
  return {
    key,
    record: record.position,
    location: sale.location,
    bucket: bucketAt(Date.parse(sale.occurredAt)),
    counts: [...counts].map(([sku, { units, lines }]) => [sku, units, lines]),
  };
}

/** Adds sales up by position. */
export function countsOf(sales: readonly PackedSale[]): PositionCounts[] {
  type Open = { sku: string; location: string; sold: Map<string, number>; lines: number; records: string[] };
  const positions = new Map<string, Open>();
  for (const { location, bucket, counts, record } of sales)
    for (const [sku, units, lines] of counts) {
      const name = `${sku}#${location}`;
      const position: Open = positions.get(name) ?? { sku, location, sold: new Map(), lines: 0, records: [] };
      positions.set(name, position);
      position.sold.set(bucket, (position.sold.get(bucket) ?? 0) + units);
      position.lines += lines;
      position.records.push(record);
    }
  return [...positions.values()];
}

/** A write unit holds 1 KB: packed small, sales of one batch share most of what they say. */
export function encodePack(sales: readonly PackedSale[]): Uint8Array {
  return deflateRawSync(
    JSON.stringify(sales.map(({ key, record, location, bucket, counts }) => [key, record, location, bucket, counts])),
  );
}

export function decodePack(bytes: Uint8Array): PackedSale[] {
  return JSON.parse(inflateRawSync(bytes).toString()).map(
    ([key, record, location, bucket, counts]: [string, string, string, string, PackedSale['counts']]) => ({
      key,
      record,
      location,
      bucket,
      counts,
    }),
  );
}

/** Bytes of a sale in a pack before it is packed small. */
export function packedSize(sale: PackedSale): number {
  return JSON.stringify(sale).length;
}
