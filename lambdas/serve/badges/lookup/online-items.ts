import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { BeatsItem, CentreItem, SkuItem, StockItem } from '../../../base/domain/badge';

/** Partition keys of the online table. */
export const onlineKey = {
  sku: (sku: string): string => `sku#${sku}`,
  stock: (sku: string, location: string): string => `stock#${sku}#${location}`,
  centre: (fc: string): string => `centre#${fc}`,
  beats: (database: string): string => `beats#${database}`,
};

type Attributes = Readonly<Record<string, AttributeValue>>;

// What is missing or of another type is left out: for the evaluation that is unknown, and earns no badge.

export function skuItem(item: Attributes): SkuItem {
  return { ...marks(item), ...text('status', item), ...number('safetyStock', item) };
}

export function stockItem(item: Attributes): StockItem {
  return { ...marks(item), ...number('onHand', item), ...number('reserved', item) };
}

export function centreItem(item: Attributes): CentreItem {
  const promised = Object.entries(item.promised?.M ?? {}).map(([day, { N }]) => [day, Number(N)] as const);
  return {
    ...marks(item),
    ...number('dailyCapacity', item),
    ...text('cutoff', item),
    ...text('timeZone', item),
    promised: Object.fromEntries(promised),
  };
}

export function beatsItem(item: Attributes): BeatsItem {
  const beats = Object.entries(item.beats?.M ?? {}).map(([slot, { S = '' }]) => [slot, S] as const);
  return { ...marks(item), beats: Object.fromEntries(beats) };
}

const marks = (item: Attributes) => ({ ...text('heldSince', item), ...number('expiresAt', item) });

function text<Name extends string>(name: Name, item: Attributes): { [name in Name]?: string } {
  const value = item[name]?.S;
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: string });
}

function number<Name extends string>(name: Name, item: Attributes): { [name in Name]?: number } {
  const value = item[name]?.N;
  return value === undefined ? {} : ({ [name]: Number(value) } as { [name in Name]: number });
}
