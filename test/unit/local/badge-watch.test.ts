import type { BadgeAnswer, BadgeReason } from '../../../lambdas/base/domain/badge';
import { BadgeWatch } from '../../../local/demonstration/badge-watch';
import { badgeLines } from '../../../local/summary';

const answer = (sku: string, fc: string, reason: BadgeReason, ageSeconds: number | null = 5): BadgeAnswer => ({
  sku,
  badge: reason === 'in-stock',
  reason,
  fc,
  available: 1,
  asOf: null,
  ageSeconds,
  stale: reason === 'stale',
});
const moment = (...answers: BadgeAnswer[]) => {
  const byCentre = new Map<string, BadgeAnswer[]>();
  for (const each of answers) byCentre.set(each.fc!, [...(byCentre.get(each.fc!) ?? []), each]);
  return byCentre;
};

test('badges are counted with the reasons of those that do not show, and the age of the oldest', () => {
  const summary = new BadgeWatch().take(
    moment(answer('A', 'west', 'in-stock', 3), answer('B', 'west', 'paused'), answer('A', 'east', 'paused', 9)),
  );

  expect(summary).toEqual({ on: 1, all: 3, off: [['paused', 2]], ageSeconds: 9, changes: [] });
  expect(badgeLines(summary)).toEqual(['badges        1 of 3 on, 9 s old; off: 2 paused', '  changed     nothing yet']);
});

test('what has no age makes the age of all unknown', () => {
  const summary = new BadgeWatch().take(moment(answer('A', 'west', 'stale', null), answer('B', 'west', 'in-stock')));

  expect(badgeLines(summary)[0]).toBe('badges        1 of 2 on, of unknown age; off: 1 stale');
});

test('what changed last comes first; an item everywhere, or a whole centre, is one change', () => {
  const watch = new BadgeWatch();
  const all = (reason: BadgeReason) => ['A', 'B', 'C', 'D', 'E'].map((sku) => answer(sku, 'west', reason));
  watch.take(moment(...all('in-stock'), answer('A', 'east', 'in-stock')));
  watch.take(moment(answer('A', 'west', 'paused'), ...all('in-stock').slice(1), answer('A', 'east', 'paused')));
  watch.take(moment(...all('fc-at-capacity'), answer('A', 'east', 'out-of-stock')));

  const { changes } = watch.take(moment(...all('fc-at-capacity'), answer('A', 'east', 'in-stock')));

  expect(changes).toEqual([
    'A at east on',
    '5 items at west off: fc-at-capacity',
    'A at east off: out-of-stock',
    'A off: paused',
  ]);
});
