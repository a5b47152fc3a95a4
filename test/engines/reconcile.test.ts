import { Client } from 'pg';
import { crashPoints } from '../engine-rig';
import { book, brokenProofs, findings } from '../reconciliation/books';
import { breakClasses, type PlantedMonth, plantedMonth, terms } from '../reconciliation/planted-month';
import { type LakeAndLedger, openLakeAndLedger } from './lake-and-ledger';

let finance: LakeAndLedger;
let client: Client;
beforeAll(async () => {
  finance = await openLakeAndLedger({ ledger: true });
  expect(await finance.createSchema()).toMatchObject({ Status: 'SUCCESS' });
  client = new Client({ connectionString: finance.warehouseUrl() });
  await client.connect();
}, 120_000);
beforeEach(() => empty());
afterAll(async () => {
  await client.end();
  await finance.close();
});

async function empty(): Promise<void> {
  const { rows } = await client.query(
    "SELECT tablename FROM pg_tables WHERE schemaname = 'finance' AND tablename <> 'schema_versions'",
  );
  await client.query(`TRUNCATE ${rows.map(({ tablename }) => `finance.${tablename}`).join(', ')}`);
  finance.rig.forget();
}

const reconciler = () =>
  finance.part('reconcile', { OPEN_DAYS: '10', GATEWAY_TERMS: JSON.stringify(terms) });
const stepOf = (input: object, executionName = 'run-1') => ({
  input,
  executionName,
  startedAt: '2026-11-01T04:00:00.000Z',
});

const smallMonth = (seed: number): PlantedMonth =>
  plantedMonth({
    seed,
    first: '2026-10-01',
    days: 31,
    sales: 1_500,
    plant: Object.fromEntries(breakClasses.map((name) => [name, 6])),
  });
const expected = ({ planted }: PlantedMonth) => planted.map(({ class: name, on }) => `${name} ${on}`).sort();

test.each([1, 2, 3])('every planted break of a month is found and rightly classed, and none that was not planted (%i)', async (seed) => {
  const month = smallMonth(seed);
  await book(client, month);

  const outcome = await reconciler().invoke(stepOf({ businessDate: '2026-10-31', days: 31 }));

  expect(await findings(client)).toEqual(expected(month));
  expect(await brokenProofs(client)).toEqual([]);
  expect(outcome).toMatchObject({ unexplainedMinorUnits: 0, explainedPercent: 100 });
});
