import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { type BadgeAnswer, type BadgePolicy, badgeDatabases } from '../../../base/domain/badge';
import { badgeFeatures, type FeatureKind } from '../../../base/domain/badge-features';
import { centreClock } from '../../../base/domain/centre-clock';
import { heartbeatSlots } from '../../../base/domain/heartbeat-slots';
import type { ColumnValue } from '../../../base/domain/source-columns';
import { plainValue } from '../item-values';
import { onlineKey } from '../lookup/online-items';
import {
  type BeatFacts,
  type CountFacts,
  centresNeeded,
  centreText,
  digestOf,
  type ItemFacts,
  itemText,
  noFeatures,
  sharedText,
} from './facts';
import { encodeReceipt } from './receipt';

type Attributes = Readonly<Record<string, AttributeValue>>;

/** An answer, and what it was computed from. */
export interface ReceiptedAnswer extends BadgeAnswer {
  /** Opaque: give it to `badge-receipt` to have the answer computed again from the lake's history, and explained. */
  readonly receipt: string;
}

/** Gives answers of one request their receipts, from the items that they were computed from. */
export function withReceipts(
  attributes: (pk: string) => Attributes | undefined,
  answers: readonly BadgeAnswer[],
  fcs: readonly string[],
  policy: BadgePolicy,
  now: Date,
): ReceiptedAnswer[] {
  const at = now.getTime();
  const [inventory, orders] = badgeDatabases.map((database) => beatFacts(attributes(onlineKey.beats(database))));
  const beats = { inventory: inventory!, orders: orders! };
  const shared = sharedText(at, policy, beats);
  const centres = fcs.map((fc) => {
    const item = attributes(onlineKey.centre(fc));
    const centre = itemFacts('centre', item, at);
    return { fc, centre, count: countFacts(item, centre, at) };
  });
  return answers.map((answer) => {
    const { sku } = answer;
    const item = itemFacts('sku', attributes(onlineKey.sku(sku)), at);
    const needed = centres.slice(0, centresNeeded(answer, fcs)).map((centre) => ({
      ...centre,
      stock: itemFacts('stock', attributes(onlineKey.stock(sku, centre.fc)), at),
    }));
    const digest = digestOf([shared, itemText(item), ...needed.map(centreText)], answer);
    const facts = { sku, evaluatedAt: at, policyVersion: policy.version, item, beats, centres: needed };
    return { ...answer, receipt: encodeReceipt({ digest, ...facts }) };
  });
}

const featureNames = Object.fromEntries(
  Object.entries(badgeFeatures).map(([kind, { features }]) => [kind, Object.keys(features)]),
) as Record<FeatureKind, string[]>;

function itemFacts(kind: FeatureKind, item: Attributes | undefined, at: number): ItemFacts {
  if (item === undefined) return { features: noFeatures(kind) };
  const features: Record<string, ColumnValue> = {};
  for (const name of featureNames[kind]) features[name] = plainValue(item[name]);
  const facts: { -readonly [Name in keyof ItemFacts]: ItemFacts[Name] } = { features };
  const committedAt = instant(item.committedAt?.S);
  const heldSince = instant(item.heldSince?.S);
  const endsAt = item.expiresAt?.N === undefined ? Number.POSITIVE_INFINITY : Number(item.expiresAt.N) * 1_000;
  if (item.position?.S !== undefined) facts.position = item.position.S;
  if (committedAt !== undefined) facts.committedAt = committedAt;
  if (heldSince !== undefined) facts.heldSince = heldSince;
  if (endsAt <= at) facts.endedAt = endsAt;
  return facts;
}

function countFacts(item: Attributes | undefined, centre: ItemFacts, at: number): CountFacts {
  const day = dayOf(centre, at);
  const version = item?.countsVersion?.N;
  return {
    ...(version === undefined ? {} : { version: Number(version) }),
    ...only('day', day),
    orders: Number((day === undefined ? undefined : item?.promised?.M?.[day]?.N) ?? 0),
  };
}

/** The day whose orders fill a centre; none where the centre is not known. */
export function dayOf({ features: { timeZone, cutoff }, endedAt }: ItemFacts, at: number): string | undefined {
  if (endedAt !== undefined || typeof timeZone !== 'string' || typeof cutoff !== 'string') return undefined;
  return centreClock(timeZone, cutoff, at)?.day;
}

// The item is kept for a second, and has 64 times to parse.
const slowest = new WeakMap<Attributes, BeatFacts>();

function beatFacts(item: Attributes | undefined): BeatFacts {
  if (item === undefined) return { slot: heartbeatSlots[0]! };
  const known = slowest.get(item);
  if (known !== undefined) return known;
  let oldest = { slot: heartbeatSlots[0]!, at: Number.POSITIVE_INFINITY };
  for (const slot of heartbeatSlots) {
    const at = instant(item.beats?.M?.[slot]?.S) ?? Number.NEGATIVE_INFINITY;
    if (at < oldest.at) oldest = { slot, at };
  }
  const { slot, at } = oldest;
  const facts = {
    slot,
    ...(Number.isFinite(at) ? { beatAt: at, ...only('position', item.positions?.M?.[slot]?.S) } : {}),
    ...only('heldSince', instant(item.heldSince?.S)),
  };
  slowest.set(item, facts);
  return facts;
}

function instant(text: string | undefined): number | undefined {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

function only<Name extends string, Value>(name: Name, value: Value | undefined): { [name in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: Value });
}
