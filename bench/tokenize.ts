import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { isLuhnValid } from '../lambdas/base/runtime/card-digits';
import { dynamoDbClient, kmsClient } from '../lambdas/base/runtime/clients';
import { CardNumber } from '../lambdas/cardholder/card-number';
import { CardVault } from '../lambdas/cardholder/ingest/card-vault';
import { Keyring } from '../lambdas/cardholder/keyring';
import { newWrappedKey, writeKeyset } from '../lambdas/cardholder/keyset';
import { VaultTable } from '../lambdas/cardholder/vault-table';
import { type Cost, openAccount } from './base/account';
import { callsOf, compare, cpuPerUnit, inTurn, progress, shown, writeUnitsOf } from './base/measured';
import { KmsCardVault } from './peers/kms-card-vault';

/*
 * What it costs to turn a card number into its token: our vault, which computes with keys that KMS has unwrapped once per
 * container, against the same vault with KMS asked for every card. A hundred cards a request, in turn.
 */

const requests = 20;
const cardsPerRequest = 100;
const cards = requests * cardsPerRequest;

interface Contender {
  readonly name: string;
  /** A container's vault: nothing cached yet. */
  readonly open: () => Promise<Pick<CardVault, 'tokensOf'>>;
}

/** What is known of the cards when they come. */
const states = ['new', 'known, not to this container', 'known to this container'] as const;

async function main(): Promise<void> {
  const account = await openAccount();
  const contenders = await openContenders();
  const costs = new Map<string, Cost[]>();
  // The first requests warm up.
  for (let request = -2; request < requests; request++) {
    progress(`request ${request} of ${requests}`);
    const numbers = cardNumbers((request + 2) * cardsPerRequest);
    for (const { name, open } of inTurn(contenders, request + 2)) {
      const [first, second] = [await open(), await open()];
      const tokens: unknown[][] = [];
      for (const [state, vault] of [first, second, second].entries()) {
        const cost = await account.measure(async () => {
          tokens[state] = [...(await vault.tokensOf(numbers))];
        });
        const key = `${name} ${states[state]}`;
        if (request >= 0) costs.set(key, [...(costs.get(key) ?? []), cost]);
      }
      const [given] = tokens;
      if (new Set(given).size !== cardsPerRequest || tokens.some((each) => each.join() !== given!.join()))
        throw new Error(`${name} did not give each card one token`);
    }
  }
  progress('');
  for (const state of states)
    compare(
      `tokenize: ${shown(cards)} cards, ${cardsPerRequest} a request, ${state}`,
      ['KMS requests/card', 'DynamoDB calls/card', 'write units/card', 'CPU us/card'],
      contenders.map(({ name }) => {
        const cost = costs.get(`${name} ${state}`)!;
        const calls = [callsOf(cost, 'kms:') / cards, callsOf(cost, 'dynamodb:') / cards];
        return [name, ...calls, writeUnitsOf(cost) / cards, cpuPerUnit(cost, cardsPerRequest)];
      }),
    );
  account.close();
}

async function openContenders(): Promise<readonly Contender[]> {
  const dynamoDb = dynamoDbClient();
  const kms = kmsClient();
  for (const TableName of ['vault', 'kms-vault'])
    await dynamoDb.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: ['pk', 'token'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        GlobalSecondaryIndexes: [
          {
            IndexName: 'by-token',
            KeySchema: [{ AttributeName: 'token', KeyType: 'HASH' }],
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
      }),
    );
  const newKey = async (input: ConstructorParameters<typeof CreateKeyCommand>[0] = {}) =>
    (await kms.send(new CreateKeyCommand(input))).KeyMetadata!.Arn!;
  const wrappingKeys = { index: await newKey(), data: await newKey() };
  const wrapped = async (purpose: 'index' | 'data') => ({
    1: await newWrappedKey(kms, { keyArn: wrappingKeys[purpose], purpose, tableName: 'vault', version: 1 }),
  });
  await writeKeyset(dynamoDb, 'vault', {
    revision: 1,
    phase: 'old',
    sinceMs: Date.now(),
    index: 1,
    data: 1,
    wrapped: { index: await wrapped('index'), data: await wrapped('data') },
  });
  const keys = {
    mac: await newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
    data: await newKey(),
  };
  return [
    {
      name: 'tillstream',
      open: async () => {
        const keyring = new Keyring({ dynamoDb, kms, tableName: 'vault', wrappingKeys, refreshMs: 60_000 });
        // One GetItem and two Decrypt per container, and not in the table: they do not grow with cards.
        const keyset = await keyring.keyset();
        for (const purpose of ['index', 'data'] as const) await keyring.key(keyset, purpose, 1);
        return new CardVault(new VaultTable(dynamoDb, 'vault'), keyring, { cachedCards: 50_000 });
      },
    },
    {
      name: 'KMS per card',
      open: async () => new KmsCardVault(new VaultTable(dynamoDb, 'kms-vault'), kms, keys),
    },
  ];
}

/** Different card numbers under a prefix of test cards. */
function cardNumbers(from: number): CardNumber[] {
  return Array.from({ length: cardsPerRequest }, (_, index) => {
    const start = `41111111${String(from + index).padStart(7, '0')}`;
    const last = Array.from('0123456789').find((digit) => isLuhnValid(start + digit))!;
    return CardNumber.read(start + last)!;
  });
}

void main();
