import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { attributesOf, type Item, plainValues } from '../badges/item-values';
import type { Position, SkuImage, StockImage } from './position';
import { decodeBuckets, encodeBuckets } from './sold-encoding';

/** A position as its item holds it. Every attribute is written each time, so that none is left from before. */
export function attributesOfPosition({ version, stock, sku, sold, units, lines, lanes, levels }: Position): Item {
  return {
    version: number(version),
    stock: stock === undefined ? { NULL: true } : { M: imageAttributes(stock) },
    sku: sku === undefined ? { NULL: true } : { M: imageAttributes(sku) },
    sold: { B: encodeBuckets(sold.buckets) },
    folded: number(sold.folded),
    foldedUntil: number(sold.foldedUntil),
    lateAt: number(sold.lateAt),
    units: number(units),
    lines: number(lines),
    lanes: numbers(lanes),
    isLow: { BOOL: levels.isLow },
    isOut: levels.isOut === undefined ? { NULL: true } : { BOOL: levels.isOut },
  };
}

/** Undefined: nothing was committed, though there may be an item that says since when something of it is held. */
export function positionOfItem(item: Readonly<Item> | undefined): Position | undefined {
  if (item?.version === undefined) return undefined;
  const { stock, sku, sold, lanes, isLow, isOut } = item;
  return {
    version: Number(item.version.N),
    stock: stock?.M === undefined ? undefined : imageOf<StockImage>(stock.M),
    sku: sku?.M === undefined ? undefined : imageOf<SkuImage>(sku.M),
    sold: {
      // A map of numbers was its first form.
      buckets: sold!.M === undefined ? decodeBuckets(sold!.B!) : numbersOf(sold),
      folded: Number(item.folded!.N),
      foldedUntil: Number(item.foldedUntil!.N),
      lateAt: Number(item.lateAt!.N),
    },
    units: Number(item.units!.N),
    lines: Number(item.lines!.N),
    lanes: numbersOf(lanes),
    levels: { isLow: isLow!.BOOL!, isOut: isOut?.BOOL },
  };
}

const number = (value: number): AttributeValue => ({ N: String(value) });
const numbers = (values: Readonly<Record<string, number>>): AttributeValue => ({ M: attributesOf(values) });
const numbersOf = (map: AttributeValue | undefined): Record<string, number> =>
  plainValues(map?.M) as Record<string, number>;

function imageAttributes({ deleted, ...columns }: StockImage | SkuImage): Item {
  return { ...attributesOf(columns), deleted: { BOOL: deleted } };
}

function imageOf<Image>({ deleted, ...columns }: Item): Image {
  return { ...plainValues(columns), deleted: deleted!.BOOL! } as Image;
}
