import { type Keyset, phaseMs, type RefreshTimes } from '../keyset';

/** What the operator asks for, in the order of a rotation. `data-key` stands alone: it needs no phases. */
export const actions = ['status', 'start', 'backfill', 'verify', 'finish', 'purge', 'retire', 'data-key'] as const;
export type Action = (typeof actions)[number];

/** How far the pass over all cards of the old index has come. Kept in the vault, so that a killed one goes on. */
export interface Pass {
  readonly kind: 'backfill' | 'verify' | 'purge';
  /** The rotation it belongs to. */
  readonly nextIndex: number;
  /** The last key done; absent at the start and at the end. */
  readonly cursor?: string;
  readonly done: boolean;
  /** Cards of the old index that were looked at, and of those: copied to the new one now, there with another token. */
  readonly cards: number;
  readonly copied: number;
  readonly mismatched: number;
}

export function newPass(kind: Pass['kind'], nextIndex: number): Pass {
  return { kind, nextIndex, done: false, cards: 0, copied: 0, mismatched: 0 };
}

/** Why an action has to wait or cannot be; undefined when it can. A phase must have reached every container. */
export function obstacle(
  action: Action,
  keyset: Keyset,
  pass: Pass | undefined,
  times: RefreshTimes,
  nowMs: number,
): string | undefined {
  if (action === 'status' || action === 'data-key') return undefined;
  const needed = (
    { start: 'old', finish: 'dual', backfill: 'dual', verify: 'dual', purge: 'new', retire: 'new' } as const
  )[action];
  if (keyset.phase !== needed) return `phase: got '${keyset.phase}', allowed for ${action}: '${needed}'`;
  const waitMs = keyset.sinceMs + phaseMs(times) - nowMs;
  // Nothing went before the first rotation, and 'old' is how 'new' goes on: no container is elsewhere.
  if (action !== 'start' && waitMs > 0)
    return `phase '${keyset.phase}' is too young: wait ${Math.ceil(waitMs / 1_000)} s`;
  const done = pass?.nextIndex === keyset.nextIndex && pass?.done === true ? pass : undefined;
  const verifying = pass?.kind === 'verify' && pass.nextIndex === keyset.nextIndex;
  if (action === 'verify' && done?.kind !== 'backfill' && !verifying) return 'backfill has not ended';
  if (action === 'finish') {
    if (done?.kind !== 'verify') return 'verify has not ended';
    if (done.copied > 0 || done.mismatched > 0)
      return `verify found ${done.copied} cards missing and ${done.mismatched} with another token: verify again`;
  }
  if (action === 'retire' && done?.kind !== 'purge') return 'purge has not ended';
  return undefined;
}

/** The keyset of the next phase; `wrapped` is a new key where the step needs one. */
export function nextKeyset(
  action: 'start' | 'finish' | 'retire' | 'data-key',
  keyset: Keyset,
  nowMs: number,
  wrapped?: Uint8Array,
): Keyset {
  const { nextIndex, ...rest } = keyset;
  const changed = { ...rest, revision: keyset.revision + 1 };
  switch (action) {
    case 'start': {
      const version = newestVersion(keyset, 'index') + 1;
      const index = { ...keyset.wrapped.index, [version]: wrapped! };
      return { ...changed, phase: 'dual', sinceMs: nowMs, nextIndex: version, wrapped: { ...keyset.wrapped, index } };
    }
    case 'finish':
      return { ...changed, phase: 'new', sinceMs: nowMs, nextIndex: nextIndex! };
    case 'retire': {
      const index = { [nextIndex!]: keyset.wrapped.index[nextIndex!]! };
      return { ...changed, phase: 'old', sinceMs: nowMs, index: nextIndex!, wrapped: { ...keyset.wrapped, index } };
    }
    case 'data-key': {
      const version = newestVersion(keyset, 'data') + 1;
      const data = { ...keyset.wrapped.data, [version]: wrapped! };
      const next = nextIndex === undefined ? {} : { nextIndex };
      return { ...changed, ...next, data: version, wrapped: { ...keyset.wrapped, data } };
    }
  }
}

export function newestVersion(keyset: Keyset, purpose: 'index' | 'data'): number {
  return Math.max(...Object.keys(keyset.wrapped[purpose]).map(Number));
}
