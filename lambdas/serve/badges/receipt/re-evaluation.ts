import { type BadgeAnswer, badgeDatabases } from '../../../base/domain/badge';
import { badgeFeatures, type FeatureKind } from '../../../base/domain/badge-features';
import { badgeHistory, type HistoryKind, quoted } from '../../../base/domain/badge-history';
import type { ColumnValue } from '../../../base/domain/source-columns';
import { beatItem, countPosition } from '../history-rows';
import { onlineKey } from '../lookup/online-items';
import { readPolicy } from '../lookup/policy';
import {
  type AnswerFacts,
  answerOf,
  type BeatFacts,
  digestOf,
  type ItemFacts,
  type ItemReference,
  noFeatures,
  textsOf,
} from './facts';
import type { Receipt } from './receipt';
import { dayOf } from './receipts';

/** A row of the history: whole numbers as numbers, times as milliseconds. */
export type ToldRow = Readonly<Record<string, ColumnValue>>;

export type ReEvaluation =
  | { readonly outcome: 'same'; readonly answer: BadgeAnswer; readonly facts: AnswerFacts; readonly told: Told }
  /** Rows that the receipt names and the history does not have. */
  | { readonly outcome: 'not-found'; readonly missing: readonly string[] }
  /** The history says something else than what was answered from; the answer that it would make, if any. */
  | { readonly outcome: 'contradicted'; readonly reason: string; readonly answer: BadgeAnswer | undefined };

/** What the history says about what a receipt names. */
export interface Told {
  readonly item: (kind: HistoryKind, pk: string, position: string | undefined) => ToldRow | undefined;
  readonly orders: (fc: string, version: number, day: string) => readonly ToldRow[];
}

interface Wanted {
  readonly kind: HistoryKind;
  readonly item: string;
  readonly position: string;
  /** Whatever came last until then, rather than this very one. */
  readonly orBefore?: true;
}

function wantedBy({ policyVersion, sku, item, beats, centres }: Receipt): Wanted[] {
  const wanted: Wanted[] = [{ kind: 'policy', item: 'policy', position: policyVersion }];
  const add = (kind: FeatureKind, pk: string, { position, heldSince, endedAt }: ItemReference) => {
    if (position !== undefined) wanted.push({ kind, item: pk, position });
    if (heldSince !== undefined) wanted.push({ kind: 'held', item: pk, position: iso(heldSince) });
    if (endedAt !== undefined && position !== undefined) wanted.push({ kind: 'end', item: pk, position: iso(endedAt) });
  };
  add('sku', onlineKey.sku(sku), item);
  for (const database of badgeDatabases) {
    const { slot, position, heldSince } = beats[database];
    if (position !== undefined) wanted.push({ kind: 'beat', item: beatItem(database, slot), position });
    if (heldSince !== undefined)
      wanted.push({ kind: 'held', item: onlineKey.beats(database), position: iso(heldSince) });
  }
  for (const { fc, centre, count, stock } of centres) {
    add('centre', onlineKey.centre(fc), centre);
    add('stock', onlineKey.stock(sku, fc), stock);
    if (count.version !== undefined)
      wanted.push({
        kind: 'count',
        item: onlineKey.centre(fc),
        position: countPosition(count.version),
        orBefore: true,
      });
  }
  return wanted;
}

const names = badgeHistory.columns.map(({ name }) => name);

/** The query for all that a receipt names; the same text on Athena and DuckDB. */
export function receiptQuery(receipt: Receipt): string {
  const { name, partition } = badgeHistory;
  // Nothing that was read arrived later; a day for clocks that differ.
  const last = new Date(Math.min(receipt.evaluatedAt + 86_400_000, 8.64e15)).toISOString().slice(0, 10);
  const conditions = wantedBy(receipt).map(
    ({ kind, item, position, orBefore }) =>
      `(kind = ${quoted(kind)} AND item = ${quoted(item)} AND position ${orBefore ? '<=' : '='} ${quoted(position)})`,
  );
  return [
    `SELECT ${names.join(', ')}`,
    'FROM (',
    `  SELECT ${names.join(', ')}, RANK() OVER (PARTITION BY kind, item, day ORDER BY position DESC) AS newest`,
    `  FROM ${name}`,
    `  WHERE ${partition.column} <= ${quoted(last)} AND (`,
    `    ${conditions.join('\n    OR ')}`,
    '  )',
    ') AS told',
    'WHERE newest = 1',
    'ORDER BY kind, item, position, day, order_id, readable_at',
  ].join('\n');
}

/** The rows of that query as Athena gives them: text, or null. */
export function toldRows(rows: readonly (readonly (string | null)[])[]): ToldRow[] {
  return rows.map((row) =>
    Object.fromEntries(
      badgeHistory.columns.map(({ name, type }, index) => {
        const text = row[index] ?? null;
        if (text === null || type === 'string') return [name, text];
        return [name, type === 'bigint' ? Number(text) : Date.parse(`${text.replace(' ', 'T').replace(/Z?$/, 'Z')}`)];
      }),
    ),
  );
}

/** Computes the answer of a receipt anew from what the history says. */
export function reEvaluate(receipt: Receipt, rows: readonly ToldRow[]): ReEvaluation {
  const found = new Map<string, ToldRow[]>();
  for (const row of rows) {
    const key = keyOf(row.kind, row.item, row.position);
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  const missing = wantedBy(receipt).filter(({ kind, item, position }) => !found.has(keyOf(kind, item, position)));
  if (missing.length > 0)
    return {
      outcome: 'not-found',
      missing: missing.map(({ kind, item, position }) => `${kind} ${item} at ${position}`),
    };
  const torn = [...found.values()].find((same) => saysTwoThings(same) || contradictsItself(same[0]!));
  if (torn !== undefined) {
    const { item, position } = torn[0]!;
    return {
      outcome: 'contradicted',
      reason: `the history contradicts itself about ${item} at ${position}`,
      answer: undefined,
    };
  }

  const told: Told = {
    item: (kind, pk, position) => found.get(keyOf(kind, pk, position))?.[0],
    orders: (fc, version, day) => {
      const counts = rows.filter((row) => row.kind === 'count' && row.item === onlineKey.centre(fc) && row.day === day);
      return counts.filter(({ position }) => String(position) <= countPosition(version));
    },
  };
  // A version that was given to two policies: it is the one that the digest is of.
  let contradicted: BadgeAnswer | undefined;
  for (const { policy } of found.get(keyOf('policy', 'policy', receipt.policyVersion))!) {
    const facts = policyIsWhole(String(policy)) ? factsOf(receipt, told, String(policy)) : undefined;
    const answer = facts && answerOf(facts);
    if (facts === undefined || answer === undefined) continue;
    if (digestOf(textsOf(facts), answer).equals(receipt.digest)) return { outcome: 'same', answer, facts, told };
    contradicted ??= answer;
  }
  return {
    outcome: 'contradicted',
    reason: 'what the history says now is not what was answered from: the history or the receipt was changed',
    answer: contradicted,
  };
}

function policyIsWhole(text: string): boolean {
  try {
    readPolicy(text);
    return true;
  } catch {
    return false;
  }
}

function factsOf(receipt: Receipt, told: Told, policyText: string): AnswerFacts {
  const { sku, evaluatedAt, item, beats, centres } = receipt;
  const itemFacts = (kind: FeatureKind, pk: string, reference: ItemReference): ItemFacts => {
    const row = told.item(kind, pk, reference.position);
    if (row === undefined) return { ...reference, features: noFeatures(kind) };
    const features = Object.entries(badgeFeatures[kind].features).map(([name, column]) => [name, row[column] ?? null]);
    return {
      ...reference,
      ...(typeof row.committed_at === 'number' ? { committedAt: row.committed_at } : {}),
      features: Object.fromEntries(features),
    };
  };
  const beatFacts = (database: (typeof badgeDatabases)[number]): BeatFacts => {
    const reference = beats[database];
    const row = told.item('beat', beatItem(database, reference.slot), reference.position);
    return { ...reference, ...(typeof row?.beat_at === 'number' ? { beatAt: row.beat_at } : {}) };
  };
  return {
    sku,
    evaluatedAt,
    policy: readPolicy(policyText),
    item: itemFacts('sku', onlineKey.sku(sku), item),
    beats: { inventory: beatFacts('inventory'), orders: beatFacts('orders') },
    centres: centres.map(({ fc, centre: reference, count, stock }) => {
      const centre = itemFacts('centre', onlineKey.centre(fc), reference);
      const day = dayOf(centre, evaluatedAt);
      const [last] = day === undefined || count.version === undefined ? [] : told.orders(fc, count.version, day);
      return {
        fc,
        centre,
        count: { ...count, ...(day === undefined ? {} : { day }), orders: Number(last?.orders ?? 0) },
        stock: itemFacts('stock', onlineKey.stock(sku, fc), stock),
      };
    }),
  };
}

/** Repeats differ in the time when they were readable, counts in their orders, policies where a version was given twice. */
function saysTwoThings(rows: readonly ToldRow[]): boolean {
  const [{ kind }] = rows as [ToldRow];
  if (kind === 'policy') return false;
  const others = [
    'readable_at',
    ...(kind === 'count' ? ['order_id', 'order_position', 'order_change', 'committed_at'] : []),
  ];
  const said = new Map<ColumnValue, string>();
  return rows.some((row) => {
    const text = JSON.stringify(names.filter((name) => !others.includes(name)).map((name) => row[name] ?? null));
    const before = said.get(row.day ?? null) ?? text;
    said.set(row.day ?? null, before);
    return before !== text;
  });
}

/** Times that name their row, and rows that are gone and say something. */
function contradictsItself({ kind, position, held_since, ends_at, deleted, ...row }: ToldRow): boolean {
  if (kind === 'held') return held_since === null || iso(Number(held_since)) !== position;
  if (kind === 'end') return ends_at === null || iso(Number(ends_at)) !== position;
  if (kind !== 'sku' && kind !== 'stock' && kind !== 'centre') return false;
  return deleted === 1 && Object.values(badgeFeatures[kind].features).some((column) => (row[column] ?? null) !== null);
}

function keyOf(kind: unknown, item: unknown, position: unknown): string {
  return `${kind}\n${item}\n${position}`;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
