import fc from 'fast-check';
import { chunksOf } from '../../../lambdas/base/runtime/chunks';
import { inParallel } from '../../../lambdas/base/runtime/in-parallel';

test('chunks keep order and limits, and lose nothing', () => {
  const sizes = fc.array(fc.nat(120), { maxLength: 50 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 6 }), (things, most) => {
      const chunks = [...chunksOf(things, { most, bytes: 100, sizeOf: (size) => size })];

      expect(chunks.flat()).toEqual(things);
      for (const chunk of chunks) {
        expect(chunk.length).toBeLessThanOrEqual(most);
        expect(chunk.length === 1 || chunk.reduce((sum, size) => sum + size, 0) <= 100).toBe(true);
      }
    }),
  );
});

test('nothing is no chunk', () => {
  expect([...chunksOf([], { most: 3 })]).toEqual([]);
});

test('things are taken as chunks are asked for', () => {
  let taken = 0;
  function* things() {
    for (;;) yield ++taken;
  }

  expect(chunksOf(things(), { most: 3 }).next().value).toEqual([1, 2, 3]);
  expect(taken).toBe(4);
});

test('so many are worked on at once, and all of them in the end', async () => {
  const done: number[] = [];
  let now = 0;
  let most = 0;

  await inParallel([1, 2, 3, 4, 5], 2, async (thing) => {
    most = Math.max(most, ++now);
    await new Promise(setImmediate);
    now--;
    done.push(thing);
  });

  expect(done.sort()).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

test('after a failure nothing new is begun', async () => {
  const begun: number[] = [];

  const work = inParallel([1, 2, 3, 4, 5, 6], 2, async (thing) => {
    begun.push(thing);
    await new Promise(setImmediate);
    if (thing === 1) throw new Error('no');
  });

  await expect(work).rejects.toThrow('no');
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(begun.length).toBeLessThanOrEqual(3);
});
