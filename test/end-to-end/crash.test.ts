import { RunningPlatform } from './running';
import { makeSale } from './sales';

/** Of each operation: what comes later, of finance's statements and their polls, is more of the same. */
const mostCalls = 3;

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
    return [...fresh, fresh[3]!, makeSale(1 + ((next * 7) % (next - 20)))];
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
      const { door, functionHost } = platform.run.account;
      const functionName = platform.functionNamed(part);
      const callsOf = () => ({ ...door.meter.snapshot().calls.byFunction[functionName] });
      // From a cold start: what a container reads first is read under way, too.
      const take = async () => {
        await functionHost.kill(functionName);
        await platform.send(someSales());
      };

      const before = callsOf();
      await take();
      await platform.run.drain();
      const calls = Object.entries(callsOf()).map(([operation, count]) => ({
        operation,
        count: count - (before[operation] ?? 0),
      }));
      expect(calls).not.toEqual([]);

      for (const { operation, count } of calls)
        for (let call = 1; call <= Math.min(count, mostCalls); call++)
          for (const when of ['before', 'after'] as const) {
            const at = `${when} call ${call} of ${operation}`;
            door.faults.arm({ function: functionName, operation, call, when, action: 'kill' });
            await take();
            const { answered, expected } = await platform.settled();

            expect({ at, ...answered }).toEqual({ at, ...expected });
            expect({ at, fired: door.faults.list()[0]?.fired }).toEqual({ at, fired: 1 });
            door.faults.clear();
          }
    },
    240_000,
  );
});
