import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { RotationStatus } from '../lambdas/cardholder/rotate-index-key/handler';
import type { Action } from '../lambdas/cardholder/rotate-index-key/rotation';
import { walkRotation } from '../lambdas/cardholder/rotate-index-key/walk';

const usage = `node build/bin/rotate-index-key.js --function NAME [--status]

Gives the card vault a new index key, without stopping sales. NAME is the output RotateIndexKeyFunction of the TokenVault
stack. Takes two waits of three minutes, and the time of four passes over all cards. Can be stopped and run again at any time.`;

/** The operator's command for a new index key: walks through the phases by invoking one function. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { function: { type: 'string' }, status: { type: 'boolean' } } });
  const functionName = values.function;
  if (functionName === undefined) throw new Error(usage);
  // A pass runs up to the function's timeout: no second one is to be started meanwhile.
  const lambda = new LambdaClient({ maxAttempts: 1, requestHandler: { requestTimeout: 15 * 60_000 } });
  const say = (line: string) => process.stdout.write(`${line}\n`);

  async function ask(action: Action): Promise<RotationStatus> {
    const { FunctionError, Payload } = await lambda.send(
      new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify({ action }) }),
    );
    const answer = JSON.parse(Buffer.from(Payload ?? []).toString() || 'null');
    if (FunctionError !== undefined) throw new Error(`${action}: ${answer?.errorMessage ?? FunctionError}`);
    return answer;
  }

  if (values.status) say(JSON.stringify(await ask('status'), null, 2));
  else await walkRotation({ ask, say, wait: (seconds) => delay(seconds * 1_000) });
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
