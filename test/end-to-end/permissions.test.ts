import { RunningPlatform } from './running';
import { makeSale } from './sales';

/** The actions that dedup needs for a sale, its event source's among them. */
const needed = [
  'dynamodb:PartiQLInsert',
  'kinesis:GetRecords',
  'kinesis:PutRecords',
  'kms:Decrypt',
  'kms:GenerateDataKey',
];

describe('a function can do what its role allows, and no more', () => {
  let platform: RunningPlatform;
  let next = 1;

  beforeAll(async () => {
    platform = await RunningPlatform.start();
  }, 120_000);

  afterAll(() => platform?.stop());

  test.each(needed)(
    'without %s dedup fails with role, action and resource in the message, and goes on when it is back',
    async (action) => {
      const { run } = platform;
      const functionName = platform.functionNamed('Refine-Dedup');
      const { roleName } = run.account.functions.get(functionName)!;
      const policies = run.account.roles.policiesOf(roleName);
      const without = JSON.parse(JSON.stringify(policies), (key, value) =>
        key === 'Action' ? [value].flat().filter((each: string) => each !== action) : value,
      );
      expect(JSON.stringify(without)).not.toBe(JSON.stringify(policies));

      run.account.door.registerRole(roleName, without);
      await platform.send([makeSale(next++)]);
      const problem = await problemOf(() => run.problemOf(functionName));
      run.account.door.registerRole(roleName, policies);
      const { answered, expected } = await platform.settled();

      expect(problem).toContain(`assumed-role/${roleName}/`);
      expect(problem).toContain(`is not authorized to perform: ${action} on resource: arn:aws:`);
      expect(answered).toEqual(expected);
    },
    60_000,
  );

  test('merchandising is compared with the lake by what the role of the comparison allows', async () => {
    const { run } = platform;
    const sale = makeSale(next++);
    await platform.send([sale]);
    await platform.settled();
    const hour = String(sale.occurredAt).slice(0, 13);

    const { payload } = await run.account.invoke(platform.functionNamed('Merchandising-Comparison'), {
      from: `${hour}:00Z`,
      to: `${new Date(Date.parse(`${hour}:00Z`) + 3_600_000).toISOString().slice(0, 13)}:00Z`,
    });

    expect(JSON.parse(payload)).toEqual({
      hoursCompared: 1,
      salesMissing: 0,
      itemsMissing: 0,
      pointsWritten: 0,
      beyondRetention: 0,
      left: null,
      comparedThrough: null,
    });
  }, 60_000);
});

async function problemOf(state: () => string | undefined): Promise<string> {
  for (;;) {
    const problem = state();
    if (problem !== undefined) return problem;
    await new Promise((later) => setTimeout(later, 20));
  }
}
