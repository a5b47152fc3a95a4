import { type Static, Type } from '@sinclair/typebox';
import { kindOf } from '../../base/domain/stock-policy';
import { type Crossing, crossingKinds, rearmAt } from './crossings';
import { availabilityOf, type Circumstances, type Position } from './position';

/*
 * The trigger, version 1, as the `detail` of an EventBridge event of source `tillstream.inventory`: one definition for the
 * type and docs/stock-trigger.schema.json.
 */

const units = (description: string) => Type.Integer({ description });
const unknown = (description: string) => Type.Null({ description });
const time = (description: string) => Type.String({ format: 'date-time', description });

const StockTrigger = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    crossingId: Type.String({
      description: 'names this crossing for ever: the same id is the same crossing, however often it is delivered',
    }),
    kind: Type.Union(
      crossingKinds.map((kind) => Type.Literal(kind)),
      { description: crossingKinds.join(', ') },
    ),
    sku: Type.String(),
    location: Type.String(),
    version: Type.Integer({
      minimum: 1,
      description: 'of the position: triggers of one position in their order, however they are delivered',
    }),
    decidedAt: time('when the version was committed, by our clock'),
    available: units('on hand - reserved - sold since the count; below zero where more was sold than there was'),
    onHand: units('as the inventory database says'),
    reserved: Type.Union([units('as the inventory database says'), unknown('not known')]),
    soldSinceCount: units('as far as the inventory database does not contain it'),
    countedAt: Type.Union([time('when on hand was right'), unknown('the database does not say')]),
    reorderPoint: Type.Union([units('as the inventory database says'), unknown('none')]),
    rearmAt: Type.Union([
      units('available units from which on the reorder point can be reached again'),
      unknown('none'),
    ]),
    causedBy: Type.Object(
      {
        change: Type.Union([Type.Literal('sales'), Type.Literal('database')]),
        sales: Type.Array(Type.String(), {
          maxItems: 10,
          description:
            'the records of the `sales` stream that made this version, as <shard>:<sequence number>: the last ten',
        }),
        moreSales: Type.Integer({ minimum: 0, description: 'how many there are besides' }),
        stock: Type.Union([
          Type.String({ description: "the stock row's place in the database's log" }),
          unknown('none'),
        ]),
        sku: Type.Union([Type.String({ description: "the SKU row's place in the database's log" }), unknown('none')]),
      },
      { description: 'the positions in the logs that made this version' },
    ),
  },
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'stock-trigger.schema.json',
    title: 'A stock trigger',
    description:
      'A position of an SKU at a location reached its reorder point, ran out of stock, or is in stock again. At least once: go by crossingId.',
    additionalProperties: false,
  },
);

export type StockTrigger = Static<typeof StockTrigger>;

/** The trigger as subscribers see it. */
export function stockTriggerSchemaText(): string {
  return `${JSON.stringify(StockTrigger, null, 2)}\n`;
}

/** What made a version. */
export interface Cause {
  readonly change: 'sales' | 'database';
  /** Places of the sales' records in their stream. */
  readonly records: readonly string[];
}

const recordsShown = 10;

/** The one name of a crossing: the version of its position, and what it was. */
export function crossingId(sku: string, location: string, version: number, kind: Crossing): string {
  return `${sku}#${location}#${version}#${kind}`;
}

/** The trigger of a crossing that a version is. */
export function triggerOf(kind: Crossing, position: Position, at: Circumstances, cause: Cause): StockTrigger {
  const { sku, location, policy, now } = at;
  const { available, onHand, reserved, sold } = availabilityOf(position, kindOf(location, policy));
  const reorderPoint = position.sku?.reorderPoint ?? null;
  return {
    schemaVersion: 1,
    crossingId: crossingId(sku, location, position.version, kind),
    kind,
    sku,
    location,
    version: position.version,
    decidedAt: new Date(now).toISOString(),
    // A position crosses only where both are known.
    available: available!,
    onHand: onHand!,
    reserved,
    soldSinceCount: sold,
    countedAt: position.stock?.countedAt ?? null,
    reorderPoint,
    rearmAt: reorderPoint === null ? null : rearmAt(reorderPoint, policy.rearmShare),
    causedBy: {
      change: cause.change,
      sales: cause.records.slice(-recordsShown),
      moreSales: Math.max(0, cause.records.length - recordsShown),
      stock: position.stock?.position ?? null,
      sku: position.sku?.position ?? null,
    },
  };
}
