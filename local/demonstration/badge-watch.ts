import type { BadgeAnswer } from '../../lambdas/base/domain/badge';

/** What a page shows of an item with a centre. */
export interface WatchedBadge {
  readonly sku: string;
  readonly fc: string;
  readonly badge: boolean;
  readonly reason: string;
}

export interface BadgeSummary {
  readonly on: number;
  readonly all: number;
  /** Badges that are off, by reason, most of all first. */
  readonly off: readonly (readonly [reason: string, count: number])[];
  /** Of the oldest answer; undefined where an answer cannot say its age. */
  readonly ageSeconds: number | undefined;
  /** What changed last, newest first. */
  readonly changes: readonly string[];
}

const keptChanges = 12;

/** Keeps what badges say, and what of it has changed. */
export class BadgeWatch {
  readonly #known = new Map<string, WatchedBadge>();
  #changes: readonly string[] = [];
  #ages: readonly (number | null)[] = [];

  /** Takes the answers of one moment: of each centre, in the order of its SKUs. */
  take(answers: ReadonlyMap<string, readonly BadgeAnswer[]>): BadgeSummary {
    const changes: WatchedBadge[] = [];
    for (const [fc, list] of answers)
      for (const { sku, badge, reason } of list) {
        const before = this.#known.get(`${sku} ${fc}`);
        const now = { sku, fc, badge, reason };
        this.#known.set(`${sku} ${fc}`, now);
        if (before !== undefined && before.reason !== reason) changes.push(now);
      }
    this.#ages = [...answers.values()].flat().map(({ ageSeconds }) => ageSeconds);
    this.#changes = [...inWords(changes), ...this.#changes].slice(0, keptChanges);
    return this.#summary();
  }

  #summary(): BadgeSummary {
    const badges = [...this.#known.values()];
    const off = new Map<string, number>();
    for (const { badge, reason } of badges) if (!badge) off.set(reason, (off.get(reason) ?? 0) + 1);
    const ages = this.#ages.filter((age) => age !== null);
    return {
      on: badges.filter(({ badge }) => badge).length,
      all: badges.length,
      off: [...off].sort(([, one], [, other]) => other - one),
      ageSeconds: ages.length === 0 || ages.length < this.#ages.length ? undefined : Math.max(...ages),
      changes: this.#changes,
    };
  }
}

/** An item that changes with all centres at once, or a centre that does with many items, is one change. */
function inWords(changes: readonly WatchedBadge[]): string[] {
  const groups = new Map<string, WatchedBadge[]>();
  for (const change of changes) {
    const { sku, fc, reason } = change;
    const isCentres =
      reason === 'fc-at-capacity' || changes.filter((each) => each.fc === fc && each.reason === reason).length > 3;
    const isSkus = reason === 'paused' || reason === 'discontinued';
    const key = isSkus ? `${sku} ${reason}` : isCentres ? `${fc} ${reason}` : `${sku} ${fc} ${reason}`;
    groups.set(key, [...(groups.get(key) ?? []), change]);
  }
  return [...groups.values()].map((group) => {
    const [{ sku, fc, badge, reason }] = group as [WatchedBadge];
    const sameSku = group.every((each) => each.sku === sku);
    const what = !sameSku ? `${group.length} items at ${fc}` : group.length > 1 ? sku : `${sku} at ${fc}`;
    return `${what} ${badge ? 'on' : `off: ${reason}`}`;
  });
}
