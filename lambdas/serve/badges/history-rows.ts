import { badgeFeatures } from '../../base/domain/badge-features';
import type { HistoryRow } from '../../base/domain/badge-history';
import type { SourceName } from '../../base/domain/source-tables';
import type { OnlineItem } from './features';
import { onlineKey } from './lookup/online-items';
import type { Counted } from './row-state';
import type { Beat } from './watermark';

/** ISO 8601 in milliseconds, as the lake keeps times; a time that is none stays away. */
function instant(text: string | null | undefined): string | undefined {
  const at = text === null || text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** A row's features as they are served; without a time they may never have been. */
export function featureRow(item: OnlineItem, readableAt?: string): HistoryRow {
  const { kind, pk, position, committedAt, deleted, features } = item;
  return {
    kind,
    item: pk,
    position,
    committed_at: instant(committedAt),
    readable_at: readableAt,
    deleted: deleted ? 1 : 0,
    ...Object.fromEntries(
      Object.entries(badgeFeatures[kind].features).map(([name, column]) => [column, features[name]]),
    ),
  };
}

/** What an order did to the counts of centres: a row for each. */
export function countRows(order: string, counted: readonly Counted[], readableAt: string): HistoryRow[] {
  return counted.map(({ fc, day, by, version, orders, position, commitTime }) => ({
    kind: 'count',
    item: onlineKey.centre(fc),
    position: countPosition(version),
    committed_at: instant(commitTime),
    readable_at: readableAt,
    day,
    orders,
    order_id: order,
    order_position: position,
    order_change: by,
  }));
}

/** Versions are milliseconds of a clock: this many digits last. */
export function countPosition(version: number): string {
  return String(version).padStart(16, '0');
}

export function beatRow(database: SourceName, slot: string, beat: Beat, readableAt: string): HistoryRow {
  return {
    kind: 'beat',
    item: beatItem(database, slot),
    position: beat.position,
    committed_at: instant(beat.beatAt),
    readable_at: readableAt,
    beat_at: instant(beat.beatAt),
  };
}

/** A slot's own name in the history: the online table keeps all of a database in one item. */
export function beatItem(database: SourceName, slot: string): string {
  return `${onlineKey.beats(database)}#${slot}`;
}

/** From when on an item, or all of a database, vouches for nothing. The time is its identity: it is found by it. */
export function heldRow(item: string, since: string, readableAt: string): HistoryRow {
  const heldSince = instant(since) ?? new Date(0).toISOString();
  return { kind: 'held', item, position: heldSince, readable_at: readableAt, held_since: heldSince };
}

/** When the item of a SKU that is not sold any more ends. */
export function endRow(item: string, expiresAt: number, readableAt: string): HistoryRow {
  const endsAt = new Date(expiresAt * 1_000).toISOString();
  return { kind: 'end', item, position: endsAt, readable_at: readableAt, ends_at: endsAt };
}

export function policyRow(version: string, policy: string, readableAt: string): HistoryRow {
  return { kind: 'policy', item: 'policy', position: version, readable_at: readableAt, policy };
}
