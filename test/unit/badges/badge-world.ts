import type {
  BadgeDatabase,
  BadgeItems,
  BadgePolicy,
  BeatsItem,
  CentreItem,
  SkuItem,
  StockItem,
} from '../../../lambdas/base/domain/badge';
import { heartbeatSlots } from '../../../lambdas/base/domain/heartbeat-slots';

/** A Sunday noon in Berlin. */
export const noon = new Date('2026-11-22T11:00:00.000Z');
export const policy: BadgePolicy = { version: 'test', maximumAgeSeconds: 300, safetyStock: 2, capacityShare: 0.9 };

/** The online table as plain objects; stock by `<sku>#<fc>`. */
export interface World {
  readonly skus: Readonly<Record<string, SkuItem>>;
  readonly stock: Readonly<Record<string, StockItem>>;
  readonly centres: Readonly<Record<string, CentreItem>>;
  readonly beats: Readonly<Partial<Record<BadgeDatabase, BeatsItem>>>;
}

export function itemsOf({ skus, stock, centres, beats }: World): BadgeItems {
  return {
    sku: (sku) => skus[sku],
    stock: (sku, fc) => stock[`${sku}#${fc}`],
    centre: (fc) => centres[fc],
    beats: (database) => beats[database],
  };
}

export const ago = (seconds: number, now = noon): string => new Date(now.getTime() - seconds * 1_000).toISOString();

export function beatsAt(time: string, others: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { ...Object.fromEntries(heartbeatSlots.map((slot) => [slot, time])), ...others };
}

export const centre: CentreItem = { dailyCapacity: 100, cutoff: '14:00', timeZone: 'Europe/Berlin', promised: {} };

/** A is in stock at both centres, and everything is ten seconds old. */
export const allIsWell: World = {
  skus: { A: { status: 'active' } },
  stock: { 'A#FC1': { onHand: 10, reserved: 3 }, 'A#FC2': { onHand: 40, reserved: 0 } },
  centres: { FC1: centre, FC2: centre },
  beats: { inventory: { beats: beatsAt(ago(10)) }, orders: { beats: beatsAt(ago(10)) } },
};
