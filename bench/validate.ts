import { createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { indexOf, seal } from '../lambdas/cardholder/card-sealing';
import { newCardToken } from '../lambdas/cardholder/card-token';
import { checkEvent, type DoorRules } from '../lambdas/cardholder/ingest/event-check';
import { Rejection } from '../lambdas/cardholder/ingest/rejection';
import { isSaleEvent } from '../lambdas/cardholder/sale-event';
import { demoEvents } from './base/demo-sales';
import { compare, inTurn, median, progress, shown, sum, table } from './base/measured';

/*
 * What it costs to check an event: our compiled check against zod on the schema that we publish, and how much that is of
 * all that the door does to an event within its process. No calls; rounds over all events, in turn.
 */

const rounds = 30;
const events = demoEvents();
const texts = events.map((event) => JSON.stringify(event));
const rules: DoorRules = { maximumAgeMs: undefined, cardLikeIdentifiers: new Set() };
const [indexKey, dataKey] = [createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32))];
const zodSchema = z.fromJSONSchema(JSON.parse(readFileSync('docs/sale.schema.json', 'utf8')));

/** Each answers how many events passed. */
const work = {
  ours: () => count(events, isSaleEvent),
  zod: () => count(events, (event) => zodSchema.safeParse(event).success),
  parse: () => count(texts, (text) => JSON.parse(text) !== undefined),
  door: () => count(events, (event) => !(checkEvent(event, rules, Date.now()) instanceof Rejection)),
  seal: () => count(events, sealCards),
} as const;

function main(): void {
  refuseAlike();
  const micros = new Map<string, number[]>();
  // The first rounds warm up.
  for (let round = -5; round < rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    for (const [name, run] of inTurn(Object.entries(work), round + 5)) {
      const before = process.cpuUsage();
      const passed = run();
      const { user, system } = process.cpuUsage(before);
      if (passed !== events.length) throw new Error(`${name}: ${passed} of ${events.length} events passed`);
      if (round >= 0) micros.set(name, [...(micros.get(name) ?? []), (user + system) / events.length]);
    }
  }
  progress('');
  const of = (name: keyof typeof work) => median(micros.get(name)!);
  const bytes = Math.round(sum(texts.map((text) => text.length)) / texts.length);
  compare(
    `validate: the form of an event (${events.length} real baskets of ${bytes} bytes on average)`,
    ['check, CPU us/event', 'parse + check'],
    [
      ['tillstream (TypeBox)', of('ours'), of('parse') + of('ours')],
      ['zod', of('zod'), of('parse') + of('zod')],
    ],
  );
  table(
    'validate: the whole door, without its calls',
    ['CPU us/event'],
    [
      ['parse', shown(of('parse'))],
      ['check form, values and card numbers in the wrong place', shown(of('door'))],
      ['index, token and seal of a new card', shown(of('seal'))],
    ],
  );
}

/** The same events are refused by both, or the comparison means nothing. */
function refuseAlike(): void {
  const [event] = events;
  const [line] = event!.lines;
  const bad = [
    { ...event, source: 'POS' },
    { ...event, type: 'gift' },
    { ...event, lines: [] },
    { ...event, lines: [{ ...line, quantity: 0 }] },
    { ...event, tenders: [{ type: 'card', amount: 1.5 }] },
  ];
  for (const each of bad)
    if (isSaleEvent(each) || zodSchema.safeParse(each).success) throw new Error('a bad event passed');
}

function sealCards(event: (typeof events)[number]): boolean {
  const admitted = checkedCards.get(event)!;
  for (const card of admitted) {
    indexOf(card, 1, indexKey);
    seal(card, newCardToken(), dataKey);
  }
  return true;
}

const checkedCards = new Map(
  events.map((event) => {
    const checked = checkEvent(event, rules, Date.now());
    return [event, checked instanceof Rejection ? [] : checked.sale.tenders.flatMap(({ card }) => card ?? [])];
  }),
);

function count<T>(items: readonly T[], passes: (item: T) => boolean): number {
  let passed = 0;
  for (const item of items) if (passes(item)) passed++;
  return passed;
}

main();
