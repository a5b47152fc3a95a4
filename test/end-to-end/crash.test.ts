import { RunningPlatform } from './running';
import { makeSale } from './sales';

/** Of each operation: what comes later, of finance's statements and their polls, is more of the same. */
const mostCalls = 3;

/** A call of a function, before or after which it is killed. */
interface Point {
  readonly function: string;
  readonly operation: string;
  readonly call: number;
  readonly when: 'before' | 'after';
}

const numbersTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

/**
 * Each function is killed before and after each of its calls, while sales and repeats come in. After every kill all four
 * stores must agree with what was sent.
 */
describe('functions killed at any call change no sum', () => {
  let platform: RunningPlatform;
  let next = 1;
  /** Twenty new sales, one of them sent twice, and one that was sent long ago. */
  const someSales = () => {
    const fresh = Array.from({ length: 20 }, () => makeSale(next++));
    return [...fresh, fresh[3]!, makeSale(1 + ((next * 7) % (next - 20)))];
  };

  beforeAll(async () => {
    platform = await RunningPlatform.start();
    await platform.send(someSales());
    await platform.run.drain();
  }, 120_000);

  afterAll(() => platform?.stop());

  /** From a cold start: what a container reads first is read under way, too. */
  async function take(functionNames: readonly string[]): Promise<void> {
    for (const name of functionNames) await platform.run.account.functionHost.kill(name);
    await platform.send(someSales());
  }

  /** How often these functions make each call of sales that nothing happens to. */
  async function callsOf(functionNames: readonly string[]): Promise<(name: string, operation: string) => number> {
    const { meter } = platform.run.account.door;
    const before = meter.snapshot().calls.byFunction;
    await take(functionNames);
    await platform.run.absorb();
    const after = meter.snapshot().calls.byFunction;
    return (name, operation) => (after[name]?.[operation] ?? 0) - (before[name]?.[operation] ?? 0);
  }

  /** Before and after each call that they made both of two times: how the sales fall into batches differs. */
  async function pointsOf(functionNames: readonly string[]): Promise<ReadonlyMap<string, readonly Point[]>> {
    const some = [await callsOf(functionNames), await callsOf(functionNames)];
    const { byFunction } = platform.run.account.door.meter.snapshot().calls;
    return new Map(
      functionNames.map((name) => [
        name,
        Object.keys(byFunction[name]!).flatMap((operation) =>
          numbersTo(Math.min(mostCalls, ...some.map((count) => count(name, operation)))).flatMap((call) =>
            (['before', 'after'] as const).map((when) => ({ function: name, operation, call, when })),
          ),
        ),
      ]),
    );
  }

  /**
   * One function of each lane is killed in the same round. What a killed function does again must not come to the help of
   * another one in the same round: dedup repeats sales to all readers and the lake's writer repeats rows to finance, while
   * what the door takes again is stopped by dedup.
   */
  test.each([
    [[['Refine-Dedup']]],
    [[['Inventory-Count'], ['Finance-Load', 'Lake-Writer'], ['Merchandising-Writer', 'Cardholder-Ingest']]],
  ])(
    '%j',
    async (parts) => {
      const { faults } = platform.run.account.door;
      const names = parts.map((lane) => lane.map((part) => platform.functionNamed(part)));
      const points = await pointsOf(names.flat());
      for (const each of points.values()) expect(each).not.toEqual([]);
      const lanes = names.map((lane) => lane.flatMap((name) => points.get(name)!));
      const mostRounds = 3 * Math.max(...lanes.map((lane) => lane.length));

      for (let round = 1; lanes.some((lane) => lane.length > 0); round++) {
        const at = lanes.flatMap((lane) => lane.slice(0, 1));
        expect(round <= mostRounds ? [] : at).toEqual([]);
        for (const point of at) faults.arm({ ...point, action: 'kill' });
        await take(at.map((point) => point.function));
        const { answered, expected } = await platform.settled();

        expect({ at, ...answered }).toEqual({ at, ...expected });
        // The same sales may come in fewer, larger batches, and the call that is waited for not at all: the next round is for it.
        const fired = new Set(faults.list().flatMap((fault) => (fault.fired === 1 ? [fault.function] : [])));
        for (const lane of lanes) if (fired.has(lane[0]?.function ?? '')) lane.shift();
        faults.clear();
      }
      await platform.run.drain();
      const { answered, expected } = await platform.settled();
      expect(answered).toEqual(expected);
    },
    300_000,
  );
});
