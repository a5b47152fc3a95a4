import { type BadgeAnswer, badgeDatabases } from '../../../base/domain/badge';
import { badgeFeatures, type FeatureKind } from '../../../base/domain/badge-features';
import { beatItem } from '../history-rows';
import { onlineKey } from '../lookup/online-items';
import { type AnswerFacts, answerOf, type ItemFacts } from './facts';
import type { Told, ToldRow } from './re-evaluation';

type Centre = AnswerFacts['centres'][number];

/** Says in words which row said what, and which rule decided. */
export function explain(answer: BadgeAnswer, facts: AnswerFacts, told: Told): string[] {
  const { sku, evaluatedAt, policy, item, beats, centres } = facts;
  return [
    `${sku} at ${time(evaluatedAt)}: ${answer.badge ? 'a badge' : 'no badge'}, ${answer.reason}${answer.fc === null ? '' : ` at ${answer.fc}`}`,
    `policy ${policy.version}: nothing older than ${policy.maximumAgeSeconds} s, safety stock ${policy.safetyStock} where a SKU has none of its own, ${policy.capacityShare} of a centre's capacity`,
    ...rowLines('sku', onlineKey.sku(sku), item, told),
    ...badgeDatabases.flatMap((database) => {
      const { slot, position, beatAt, heldSince } = beats[database];
      const row = told.item('beat', beatItem(database, slot), position);
      return [
        beatAt === undefined
          ? `${database}: its slot ${slot} had not beaten yet, so nothing vouches for it`
          : `${database}: known up to ${time(beatAt)}, which its slowest slot ${slot} said ${place(position, row)}`,
        ...heldLines(`all of ${database}`, heldSince),
      ];
    }),
    ...centres.flatMap((centre) => [
      ...rowLines('centre', onlineKey.centre(centre.fc), centre.centre, told),
      ...countLines(centre, told),
      ...rowLines('stock', onlineKey.stock(sku, centre.fc), centre.stock, told),
    ]),
    ...(centres.length === 0
      ? [`rule: ${skuRule(answer, item)}`]
      : centres.map((centre) => `rule at ${centre.fc}: ${centreRule(facts, centre)}`)),
    `known as of ${answer.asOf ?? 'no time at all'}${answer.ageSeconds === null ? '' : `, ${answer.ageSeconds} s before the answer`}${answer.stale ? ': too old' : ''}`,
  ];
}

function rowLines(kind: FeatureKind, pk: string, facts: ItemFacts, told: Told): string[] {
  const { position, features, heldSince, endedAt } = facts;
  const said = Object.keys(badgeFeatures[kind].features)
    .filter((name) => features[name] !== null)
    .map((name) => `${badgeFeatures[kind].features[name]} ${features[name]}`);
  const row = position === undefined ? undefined : told.item(kind, pk, position);
  return [
    position === undefined
      ? `${pk}: no row`
      : `${pk}: ${said.length === 0 ? 'deleted' : said.join(', ')} ${place(position, row)}`,
    ...(endedAt === undefined ? [] : [`${pk}: ended at ${time(endedAt)}, and so counts as absent`]),
    ...heldLines(pk, heldSince),
  ];
}

function heldLines(what: string, heldSince: number | undefined): string[] {
  return heldSince === undefined
    ? []
    : [`${what}: a change was held, so nothing vouches for it after ${time(heldSince)}`];
}

function place(position: string | undefined, row: ToldRow | undefined): string {
  if (position === undefined) return '(no position)';
  const committed = typeof row?.committed_at === 'number' ? `committed ${time(row.committed_at)}` : 'loaded';
  const readable =
    typeof row?.readable_at === 'number'
      ? `readable by ${time(row.readable_at)}`
      : 'when it became readable is not known';
  return `(position ${position}, ${committed}, ${readable})`;
}

function countLines({ fc, count: { version, day, orders } }: Centre, told: Told): string[] {
  if (day === undefined) return [];
  if (version === undefined) return [`orders of ${fc} for ${day}: none were ever counted`];
  const changes = told.orders(fc, version, day);
  const by = changes.map(
    ({ order_id, order_change, order_position }) =>
      `${order_id} ${Number(order_change) > 0 ? 'came' : 'went'} at ${order_position}`,
  );
  const shown = [...new Set(by)];
  const more = shown.length > 3 ? ` and ${shown.length - 3} more` : '';
  const last = shown.length === 0 ? '' : `, since ${shown.slice(0, 3).join(', ')}${more}`;
  return [`orders of ${fc} for ${day}: ${orders} (counts of ${time(version)}${last})`];
}

function skuRule({ reason }: BadgeAnswer, { features }: ItemFacts): string {
  if (reason === 'unknown-sku')
    return features.status === null ? 'no SKU of that name is known' : `status ${features.status} is none that is sold`;
  return `the SKU is ${reason}, whatever stock there is`;
}

/** What this centre alone would have made of it. */
function centreRule(facts: AnswerFacts, centre: Centre): string {
  const { policy, item } = facts;
  const alone = answerOf({ ...facts, centres: [centre] })!;
  const { dailyCapacity, cutoff, timeZone } = centre.centre.features;
  const { onHand, reserved } = centre.stock.features;
  const safetyStock = item.features.safetyStock ?? policy.safetyStock;
  const sum = `${onHand} on hand - ${reserved} reserved - ${safetyStock} safety stock`;
  const words: Partial<Record<BadgeAnswer['reason'], string>> = {
    'unknown-fc': 'no centre of that name is known, or not all of it',
    stale: `known up to ${alone.asOf ?? 'no time at all'}, which is too old for ${policy.maximumAgeSeconds} s`,
    'not-stocked': 'it has no stock row',
    'out-of-stock': `${sum} leaves none`,
    'past-cutoff': `orders for ${centre.count.day} closed at ${cutoff} (${timeZone})`,
    'fc-at-capacity': `${centre.count.orders} orders fill ${policy.capacityShare} of ${dailyCapacity}`,
    'in-stock': `${sum} leaves ${alone.available}, before ${cutoff} (${timeZone}), with ${centre.count.orders} of ${dailyCapacity} orders`,
  };
  return `${alone.reason}: ${words[alone.reason] ?? 'a reason of the SKU'}`;
}

function time(at: number): string {
  return new Date(at).toISOString();
}
