import fc from 'fast-check';
import { type DynamoDbEngine, openDynamoDb } from '../../../local/engines/dynamodb';

const claimNames = ['a', 'b', 'c', 'd'];
const counterNames = ['x', 'y'];

const names = fc.subarray(claimNames, { minLength: 1 });
/** Writers start some turns of the event loop apart, so that their transactions overlap in part. */
const turns = fc.nat(3);
const writer = fc.oneof(
  fc.record({ kind: fc.constant('transaction' as const), names, counter: fc.constantFrom(...counterNames), turns }),
  fc.record({ kind: fc.constant('inserts' as const), names, counter: fc.constant(''), turns }),
  fc.record({ kind: fc.constant('read' as const), names: fc.constant([]), counter: fc.constant(''), turns }),
);

test('concurrent transactions, inserts and reads are as if they came one after the other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(writer, { minLength: 2, maxLength: 12 }), async (writers) => {
      const engine = await openDynamoDb();
      await engine.call('CreateTable', {
        TableName: 'sales',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      });

      const won = await Promise.all(writers.map((plan, index) => run(engine, plan, `w${index}`, writers)));

      const { claims, counters } = await snapshot(engine);
      writers.forEach((plan, index) => {
        const held = claimNames.filter((name) => claims[name] === `w${index}`);
        // What it was told it has won is what it holds in the end: all of a transaction or nothing.
        expect(held).toEqual(won[index]);
        if (plan.kind === 'transaction' && held.length > 0) expect(held).toEqual(plan.names);
      });
      expect(counters).toEqual(countersOf(claims, writers));
      await engine.close();
    }),
    { seed: 20261122, numRuns: 150 },
  );
});

type Plan = typeof writer extends fc.Arbitrary<infer T> ? T : never;

/** The names that the writer was told are its own. */
async function run(engine: DynamoDbEngine, plan: Plan, by: string, writers: Plan[]): Promise<string[]> {
  for (let turn = 0; turn < plan.turns; turn++) await new Promise((next) => setImmediate(next));
  if (plan.kind === 'read') {
    const seen = await snapshot(engine);
    // A reader sees a transaction's claims and its counter together.
    expect(seen.counters).toEqual(countersOf(seen.claims, writers));
    return [];
  }
  if (plan.kind === 'inserts') {
    const Statements = plan.names.map((name) => ({
      Statement: `INSERT INTO "sales" VALUE {'id': ?, 'by': ?}`,
      Parameters: [{ S: name }, { S: by }],
    }));
    const { Responses } = await engine.call('BatchExecuteStatement', { Statements });
    return plan.names.filter((_, index) => Responses[index].Error === undefined);
  }
  try {
    await engine.call('TransactWriteItems', {
      TransactItems: [
        ...plan.names.map((name) => ({
          Put: {
            TableName: 'sales',
            Item: { id: { S: name }, by: { S: by } },
            ConditionExpression: 'attribute_not_exists(id)',
          },
        })),
        {
          Update: {
            TableName: 'sales',
            Key: { id: { S: plan.counter } },
            UpdateExpression: 'ADD n :n',
            ExpressionAttributeValues: { ':n': { N: String(plan.names.length) } },
          },
        },
      ],
    });
    return plan.names;
  } catch (error) {
    const codes = (error as any).fields.CancellationReasons.map(({ Code }: any) => Code);
    expect(codes).toEqual(
      codes.map(() => expect.stringMatching(/^(None|ConditionalCheckFailed|TransactionConflict)$/)),
    );
    return [];
  }
}

async function snapshot(engine: DynamoDbEngine) {
  const Keys = [...claimNames, ...counterNames].map((id) => ({ id: { S: id } }));
  const { Responses } = await engine.call('BatchGetItem', { RequestItems: { sales: { Keys, ConsistentRead: true } } });
  const claims: Record<string, string> = {};
  const counters: Record<string, number> = { x: 0, y: 0 };
  for (const { id, by, n } of Responses.sales) {
    if (by !== undefined) claims[id.S] = by.S;
    else counters[id.S] = Number(n.N);
  }
  return { claims, counters };
}

function countersOf(claims: Record<string, string>, writers: Plan[]) {
  const counters: Record<string, number> = { x: 0, y: 0 };
  for (const by of Object.values(claims)) {
    const plan = writers[Number(by.slice(1))]!;
    if (plan.kind === 'transaction') counters[plan.counter]! += 1;
  }
  return counters;
}
