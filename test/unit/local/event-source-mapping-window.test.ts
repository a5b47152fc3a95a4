import { mappingProperties } from '../../../local/lambda/mapping-properties';
import { letters, MappingRig, streamArn } from './mapping-rig';

describe('records gather', () => {
  let rig: MappingRig;
  beforeEach(async () => {
    rig = await MappingRig.open();
  });
  afterEach(() => rig.close());

  const start = (properties: object = {}) => rig.start({ MaximumBatchingWindowInSeconds: 300, ...properties });

  test('until the window is over, and one batch takes them', async () => {
    await start();
    for (const text of ['a', 'b', 'c']) await rig.put([text]);
    expect(rig.texts).toEqual([]);

    await rig.idle();

    expect(rig.texts).toEqual([['a', 'b', 'c']]);
  });

  test('until there is a full batch', async () => {
    const timer = globalThis.setTimeout;
    const endless = jest
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation(((work: () => void, milliseconds: number) =>
        timer(milliseconds === 1_000 ? () => {} : work, milliseconds)) as typeof setTimeout);
    await start({ BatchSize: 4 });

    await rig.put(letters('a', 'd'));
    await rig.idle();

    expect(rig.texts).toEqual([['a', 'b', 'c', 'd']]);
    endless.mockRestore();
  });

  test('until somebody is in a hurry; what comes then gathers anew', async () => {
    await start();
    for (const text of ['a', 'b']) await rig.put([text]);

    rig.mapping.hurry();
    await rig.idle();
    await rig.put(['c']);

    expect(rig.texts).toEqual([['a', 'b']]);
    await rig.idle();
    expect(rig.texts).toEqual([['a', 'b'], ['c']]);
  });

  test('and a window that ends in a pause delivers after it', async () => {
    await start();
    await rig.put(['a']);
    rig.mapping.pause();
    rig.mapping.hurry();
    expect(rig.texts).toEqual([]);

    rig.mapping.resume();
    await rig.idle();

    expect(rig.texts).toEqual([['a']]);
  });
});

test.each([
  [undefined, 0],
  [0, 0],
  [1, 1_000],
  [60, 1_000],
])('a window of %p s takes %p ms here', (MaximumBatchingWindowInSeconds, windowMs) => {
  const values = { EventSourceArn: streamArn, FunctionName: 'dedup', StartingPosition: 'LATEST' };
  const given = MaximumBatchingWindowInSeconds === undefined ? {} : { MaximumBatchingWindowInSeconds };
  expect(mappingProperties({ ...values, ...given }, '000000000000', 'eu-west-1').windowMs).toBe(windowMs);
});
