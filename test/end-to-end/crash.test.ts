import { RunningPlatform } from './running';
import { makeSale } from './sales';

/**
 * Each function is killed before and after each of its calls, while sales and repeats come in. After every kill all four
 * stores must agree with what was sent.
 */
describe('a function killed at any call changes no sum', () => {
  let platform: RunningPlatform;
  let next = 1;
  /** Twenty new sales, one of them sent twice, and one that was sent long ago. */
  const someSales = () => {
    const fresh = Array.from({ length: 20 }, () => makeSale(next++));
    return [...fresh, fresh[3]!, makeSale(1 + ((next * 7) % next))];
  };

  beforeAll(async () => {
    platform = await RunningPlatform.start();
    await platform.send(someSales());
    await platform.run.drain();
  }, 120_000);

  afterAll(() => platform?.stop());

  const functions = [
    'Cardholder-Ingest',
    'Refine-Dedup',
    'Lake-Writer',
    'Merchandising-Writer',
    'Inventory-Count',
    'Finance-Load',
  ];

  test.each(functions)(
    '%s',
    async (part) => {
      const { door } = platform.run.account;
      const functionName = platform.functionNamed(part);
      const callsOf = () =>
        Object.values(door.meter.snapshot().calls.byFunction[functionName] ?? {}).reduce(
          (sum, count) => sum + count,
          0,
        );

      const before = callsOf();
      await platform.send(someSales());
      await platform.run.drain();
      const calls = callsOf() - before;
      expect(calls).toBeGreaterThan(0);

      for (let call = 1; call <= Math.min(calls, 8); call++)
        for (const when of ['before', 'after'] as const) {
          door.faults.arm({ function: functionName, operation: '*', call, when, action: 'kill' });
          await platform.send(someSales());
          const { answered, expected } = await platform.settled();

          expect({ at: `${when} call ${call}`, ...answered }).toEqual({ at: `${when} call ${call}`, ...expected });
          expect({ at: `${when} call ${call}`, fired: door.faults.list()[0]?.fired }).toEqual({
            at: `${when} call ${call}`,
            fired: 1,
          });
          door.faults.clear();
        }
    },
    240_000,
  );
});
