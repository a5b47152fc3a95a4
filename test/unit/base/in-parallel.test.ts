import { inParallel } from '../../../lambdas/base/runtime/in-parallel';
import { inChunks } from '../../../lambdas/serve/badges/dynamo-calls';

test('things are begun in order, so many at once and no more', async () => {
  const begun: number[] = [];
  let underWay = 0;
  let most = 0;

  await inParallel([1, 2, 3, 4, 5], 2, async (thing) => {
    begun.push(thing);
    most = Math.max(most, ++underWay);
    await new Promise(setImmediate);
    underWay--;
  });

  expect([begun, most, underWay]).toEqual([[1, 2, 3, 4, 5], 2, 0]);
});

test.each([
  ['inParallel', (work: (thing: number) => Promise<void>) => inParallel([1, 2, 3, 4], 3, work)],
  ['inChunks', (work: (thing: number) => Promise<void>) => inChunks([1, 2, 3], 1, ([thing]) => work(thing!))],
] as const)('%s throws the first failure once nothing is under way any more', async (_, run) => {
  const events: string[] = [];
  const pause = () => new Promise(setImmediate);

  await expect(
    run(async (thing) => {
      events.push(`${thing} begins`);
      if (thing === 1) throw new Error('first');
      await pause();
      await pause();
      events.push(`${thing} ends`);
      if (thing === 2) throw new Error('second');
    }),
  ).rejects.toThrow('first');

  expect(events).toEqual(['1 begins', '2 begins', '3 begins', '2 ends', '3 ends']);
});

test('a list that cannot go on is a failure too', async () => {
  function* broken() {
    yield 1;
    throw new Error('no more');
  }

  await expect(inParallel(broken(), 2, async () => {})).rejects.toThrow('no more');
});
