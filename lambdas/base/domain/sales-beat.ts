import { heartbeatTable } from './source-tables';

/**
 * A mark in the streams of sales: all that was accepted before it, in its 64th of the hash range, lies before it. It says
 * how far a reader of `sales` has come, also when nothing is sold.
 */
export interface SalesBeat {
  readonly slot: string;
  /** UTC: when it was written. */
  readonly beatAt: string;
}

const start = '{"beat":';

export function beatText({ slot, beatAt }: SalesBeat): string {
  return `${start}${JSON.stringify(slot)},"beatAt":${JSON.stringify(beatAt)}}`;
}

/** The key whose hash falls into the slot's 64th: that of the heartbeat row of the same name. */
export function beatPartitionKey(slot: string): string {
  return `inventory.${heartbeatTable}.${slot}`;
}

/** Undefined for a record that is no beat, which no sale is taken for. */
export function parseBeat(text: string): SalesBeat | undefined {
  if (!text.startsWith(start)) return undefined;
  try {
    const { beat, beatAt, ...more } = JSON.parse(text);
    const isBeat = typeof beat === 'string' && typeof beatAt === 'string' && !Number.isNaN(Date.parse(beatAt));
    return isBeat && Object.keys(more).length === 0 ? { slot: beat, beatAt } : undefined;
  } catch {
    return undefined;
  }
}
