import { epochOf } from '../../base/domain/change';
import { heartbeatSlots } from '../../base/domain/heartbeat-slots';
import type { Item } from './item-values';

/** One slot of a database's heartbeat as it came through last. */
export interface Beat {
  readonly beatAt: string;
  readonly position: string;
  /** When it arrived in `changes`, by Kinesis' clock. */
  readonly arrivedAt: string;
}

/** What `beats#<database>` says. */
export interface BeatsItem {
  readonly beats: ReadonlyMap<string, Beat>;
  readonly heldSince?: string;
  /** Raised with every change of what is held: such changes go one after the other. */
  readonly heldVersion: number;
  /** How many records are held, of the database or of single items. */
  readonly held: number;
  /** The newest epoch of which anything was applied, and the newest whose load was swept. */
  readonly epoch: number;
  readonly sweptEpoch: number;
}

export function beatsItemOf(item: Readonly<Item> | undefined): BeatsItem {
  const positions = item?.positions?.M ?? {};
  const arrivals = item?.arrivals?.M ?? {};
  const heldSince = item?.heldSince?.S;
  const number = (name: string) => Number(item?.[name]?.N ?? 0);
  return {
    beats: new Map(
      Object.entries(item?.beats?.M ?? {}).map(([slot, { S = '' }]) => [
        slot,
        { beatAt: S, position: positions[slot]?.S ?? '', arrivedAt: arrivals[slot]?.S ?? '' },
      ]),
    ),
    ...(heldSince === undefined ? {} : { heldSince }),
    heldVersion: number('heldVersion'),
    held: number('held'),
    epoch: number('epoch'),
    sweptEpoch: number('sweptEpoch'),
  };
}

/** The oldest beat, in milliseconds; undefined while a slot has never beaten. */
export function oldestBeat(beats: ReadonlyMap<string, Beat>): number | undefined {
  if (heartbeatSlots.some((slot) => !beats.has(slot))) return undefined;
  return heartbeatSlots.reduce((oldest, slot) => Math.min(oldest, Date.parse(beats.get(slot)!.beatAt)), Infinity);
}

/** Everything committed before this came through; undefined when that cannot be said of any time. */
export function watermarkOf({ beats, heldSince }: Pick<BeatsItem, 'beats' | 'heldSince'>): number | undefined {
  const oldest = oldestBeat(beats);
  return oldest === undefined || heldSince === undefined ? oldest : Math.min(oldest, Date.parse(heldSince));
}

// What has no age at all counts as a day old: above any limit, and a graph can still show it.
const neverSeconds = 86_400;

/** The age of the oldest of some parts. */
export function ageSecondsOf(items: readonly BeatsItem[], now: number): number {
  const ages = items.map((item) => {
    const watermark = watermarkOf(item);
    return watermark === undefined ? neverSeconds : Math.min(neverSeconds, (now - watermark) / 1_000);
  });
  return Math.max(0, ...ages);
}

const minuteMs = 60_000;

/**
 * Whether a commit stands before the beat that is furthest in the log, though it was made more than a minute later: then
 * the log has been exchanged without a new epoch, and its changes pass for old ones.
 */
export function hasGoneBack(beats: ReadonlyMap<string, Beat>, position: string, commitTime: string): boolean {
  const highest = highestBeat(beats);
  return (
    highest !== undefined &&
    position < highest.position &&
    epochOf(position) === epochOf(highest.position) &&
    Date.parse(commitTime) > Date.parse(highest.beatAt) + minuteMs
  );
}

export function highestBeat(beats: ReadonlyMap<string, Beat>): Beat | undefined {
  let highest: Beat | undefined;
  for (const beat of beats.values()) if (highest === undefined || beat.position > highest.position) highest = beat;
  return highest;
}
