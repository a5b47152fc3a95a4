import { createHash } from 'node:crypto';
import {
  type BadgeAnswer,
  type BadgeDatabase,
  type BadgeItems,
  type BadgePolicy,
  badgeDatabases,
  evaluate,
} from '../../../base/domain/badge';
import { badgeFeatures, type FeatureKind } from '../../../base/domain/badge-features';
import { heartbeatSlots } from '../../../base/domain/heartbeat-slots';
import type { ColumnValue } from '../../../base/domain/source-columns';

/** Which image of an item an answer used: enough to find it. Times are milliseconds. */
export interface ItemReference {
  /** None where there is no row: then nothing was known of it. */
  readonly position?: string;
  /** A change of it was held. */
  readonly heldSince?: number;
  /** It had ended by then, and so counted as absent. */
  readonly endedAt?: number;
}

export interface ItemFacts extends ItemReference {
  readonly committedAt?: number;
  /** By the feature's name, all that the kind has. */
  readonly features: Readonly<Record<string, ColumnValue>>;
}

/** The slowest beat of a database; without a position the slot had not beaten. */
export interface BeatReference {
  readonly slot: string;
  readonly position?: string;
  readonly heldSince?: number;
}

export interface BeatFacts extends BeatReference {
  readonly beatAt?: number;
}

/** Orders of a centre for its day, by the version of its counts; none where nothing was ever counted. */
export interface CountReference {
  readonly version?: number;
}

export interface CountFacts extends CountReference {
  /** The centre's own day; none where the centre is not known. */
  readonly day?: string;
  readonly orders: number;
}

/** What an answer was computed from, and nothing else. */
export interface AnswerFacts {
  readonly sku: string;
  readonly evaluatedAt: number;
  readonly policy: BadgePolicy;
  readonly item: ItemFacts;
  readonly beats: Readonly<Record<BadgeDatabase, BeatFacts>>;
  /** As far as they mattered, in the order of the request. */
  readonly centres: readonly {
    readonly fc: string;
    readonly centre: ItemFacts;
    readonly count: CountFacts;
    readonly stock: ItemFacts;
  }[];
}

/** How many of a request's centres an answer needs: none for a reason of the SKU's own, none behind the one that serves. */
export function centresNeeded(answer: BadgeAnswer, fcs: readonly string[]): number {
  if (answer.fc === null) return 0;
  return answer.badge ? fcs.indexOf(answer.fc) + 1 : fcs.length;
}

/** Computes the answer anew; undefined where the facts need centres and have none. */
export function answerOf(facts: AnswerFacts): BadgeAnswer | undefined {
  const { sku, evaluatedAt, policy, item, beats, centres } = facts;
  const by = new Map(centres.map((each) => [each.fc, each]));
  const items: BadgeItems = {
    sku: () => onlineOf(item),
    stock: (_, fc) => onlineOf(by.get(fc)!.stock),
    centre(fc) {
      const { centre, count } = by.get(fc)!;
      return { ...onlineOf(centre), promised: count.day === undefined ? {} : { [count.day]: count.orders } };
    },
    beats(database) {
      const { beatAt, heldSince } = beats[database];
      const time = beatAt === undefined ? undefined : new Date(beatAt).toISOString();
      return {
        ...(time === undefined ? {} : { beats: Object.fromEntries(heartbeatSlots.map((slot) => [slot, time])) }),
        ...held(heldSince),
      };
    },
  };
  if (centres.length === 0 && item.features.status === 'active' && item.endedAt === undefined) return undefined;
  return evaluate(items, { skus: [sku], fcs: centres.map(({ fc }) => fc) }, policy, new Date(evaluatedAt))[0];
}

function onlineOf({ features, heldSince, endedAt }: ItemFacts): object {
  const known = Object.entries(features).filter(([, value]) => value !== null);
  return {
    ...Object.fromEntries(known),
    ...held(heldSince),
    ...(endedAt === undefined ? {} : { expiresAt: endedAt / 1_000 }),
  };
}

const held = (since: number | undefined) => (since === undefined ? {} : { heldSince: new Date(since).toISOString() });

/** The facts of an item's kind when there is no row. */
export function noFeatures(kind: FeatureKind): Record<string, null> {
  return Object.fromEntries(Object.keys(badgeFeatures[kind].features).map((name) => [name, null]));
}

const digestBytes = 12;

/**
 * Tells whether history still says what the answer was computed from: of the facts and the answer, every field. It is no
 * signature: it finds what was changed since, not who made it.
 */
export function digestOf(facts: readonly string[], answer: BadgeAnswer): Buffer {
  const text = `${facts.join('\n')}\n${JSON.stringify(answer)}`;
  return createHash('sha256').update(text).digest().subarray(0, digestBytes);
}

/** The facts as text: what is shared by all answers of a request first. */
export function textsOf({ evaluatedAt, policy, beats, item, centres }: AnswerFacts): string[] {
  return [sharedText(evaluatedAt, policy, beats), itemText(item), ...centres.map(centreText)];
}

export function sharedText(evaluatedAt: number, policy: BadgePolicy, beats: AnswerFacts['beats']): string {
  const { version, maximumAgeSeconds, safetyStock, capacityShare } = policy;
  const ofBeats = badgeDatabases.map((database) => {
    const { slot, position, beatAt, heldSince } = beats[database];
    return [slot, position, beatAt, heldSince];
  });
  return JSON.stringify([evaluatedAt, version, maximumAgeSeconds, safetyStock, capacityShare, ofBeats]);
}

export function itemText({ position, committedAt, heldSince, endedAt, features }: ItemFacts): string {
  return JSON.stringify([position, committedAt, heldSince, endedAt, Object.values(features)]);
}

export function centreText({ fc, centre, count, stock }: AnswerFacts['centres'][number]): string {
  return `${fc}\n${itemText(centre)}\n${countText(count)}\n${itemText(stock)}`;
}

function countText({ version, day, orders }: CountFacts): string {
  return JSON.stringify([version, day, orders]);
}
