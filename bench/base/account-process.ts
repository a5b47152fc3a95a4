import { openDoor } from '../../local/door/door';
import { Meter } from '../../local/door/meter';
import { openDynamoDb } from '../../local/engines/dynamodb';
import { localAccount } from '../../local/engines/engine';
import { openKinesis } from '../../local/engines/kinesis';
import { openKms } from '../../local/engines/kms';
import type { AccountAddress } from './account';

/** The local account, in memory and in a process of its own: what a bench measures of itself holds no engine and no door. */
async function main(): Promise<void> {
  const meter = new Meter();
  const dynamodb = await openDynamoDb({ limits: process.argv.includes('partition-limits') });
  dynamodb.onConsumed = meter.dynamodb;
  const door = await openDoor({
    engines: [dynamodb, await openKinesis({ onConsumed: meter.kinesis }), await openKms()],
    credentials: new Map(),
    lookup: { keyOf: () => undefined },
    invoke: async (functionName) => {
      throw new Error(`there is no function ${functionName}`);
    },
    kill: () => {},
    meter,
  });
  const keys = door.registerAdministrator(`arn:aws:iam::${localAccount}:user/bench`);
  process.once('disconnect', () => process.exit());
  process.send!({ url: door.url, keys } satisfies AccountAddress);
}

void main();
