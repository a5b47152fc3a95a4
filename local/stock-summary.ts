import { type Crossing, crossingKinds } from '../lambdas/serve/inventory/crossings';
import type { StockTrigger } from '../lambdas/serve/inventory/stock-trigger';
import type { Run } from './run';

/** What stock and its triggers have come to, by the account of the positions, the outbox and the bus's archive. */
export interface StockSummary {
  /** SKUs at locations, of which anything is known. */
  readonly positions: number;
  /** At or below their reorder point, and not armed again since. */
  readonly low: number;
  /** Without anything available. */
  readonly out: number;
  readonly triggers: {
    /** Crossings on the bus, each once, by kind. */
    readonly published: Readonly<Record<Crossing, number>>;
    /** Events beyond one for each crossing. */
    readonly repeated: number;
    /** Crossings that are committed and not yet on the bus. */
    readonly waiting: number;
  };
  /** The triggers that came last, newest first. */
  readonly last: readonly StockTrigger[];
}

const shownTriggers = 4;

export async function stockSummary(run: Run): Promise<StockSummary> {
  const { dynamodb, eventBridge } = run.account.engines;
  let [positions, low, out, waiting] = [0, 0, 0, 0];
  for await (const { pk, version, isLow, isOut } of itemsOf(dynamodb, run.valueOf('Inventory', 'POSITIONS_TABLE_NAME')))
    if (pk.S.startsWith('stock#') && version !== undefined) {
      positions += 1;
      if (isLow.BOOL === true) low += 1;
      if (isOut.BOOL === true) out += 1;
    }
  for await (const _ of itemsOf(dynamodb, run.valueOf('Inventory', 'OUTBOX_TABLE_NAME'))) waiting += 1;

  // The archive has the name of its bus.
  const events = eventBridge.archived(run.valueOf('Inventory', 'EVENT_BUS_NAME'));
  const triggers = new Map<string, StockTrigger>();
  for (const { detail } of events) {
    const trigger = detail as unknown as StockTrigger;
    triggers.set(trigger.crossingId, trigger);
  }
  const published = Object.fromEntries(crossingKinds.map((kind) => [kind, 0])) as Record<Crossing, number>;
  for (const { kind } of triggers.values()) published[kind] += 1;
  const last = [...triggers.values()].sort((one, other) => (one.decidedAt < other.decidedAt ? 1 : -1));
  return {
    ...{ positions, low, out },
    triggers: { published, repeated: events.length - triggers.size, waiting },
    last: last.slice(0, shownTriggers),
  };
}

/** The same in two lines, for people. */
export function stockLines({ positions, low, out, triggers, last }: StockSummary): string[] {
  const { published, waiting } = triggers;
  const kinds = crossingKinds.map((kind) => `${published[kind]} ${kind}`).join(', ');
  const words = last.map(({ kind, sku, location, available }) => `${sku} at ${location} ${kind}, ${available} left`);
  return [
    `stock         ${positions} positions, ${low} low, ${out} out; triggers: ${kinds}${waiting === 0 ? '' : `, ${waiting} waiting`}`,
    `  triggered   ${words.length === 0 ? 'nothing yet' : words.join(' | ')}`,
  ];
}

async function* itemsOf(
  dynamodb: { call(operation: string, input: object): Promise<any> },
  TableName: string,
): AsyncGenerator<any> {
  let ExclusiveStartKey: object | undefined;
  do {
    const page = await dynamodb.call('Scan', { TableName, ...(ExclusiveStartKey && { ExclusiveStartKey }) });
    yield* page.Items;
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
}
