import { parseArgs } from 'node:util';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { invoke } from './command/invoke';
import { runCommand } from './command/run-command';

/**
 * Records what was found out about a break of the reconciliation: who, when and why. Changes neither ledger nor settlement.
 * Ends with 0 when it is recorded, 1 when it is not, 2 when it was called wrongly.
 */
const usage = `usage: node build/bin/resolve-break.js --function FUNCTION --break ID --difference=N --by NAME --reason TEXT [--endpoint URL]

  --function FUNCTION    name of Finance's resolving function (output ResolveFunction of its stack)
  --break ID             the break's id, as the report shows it
  --difference=N         what it is about, in minor units, as the report shows it beside the id
  --by NAME              who found it out
  --reason TEXT          what it is, at most 1,000 bytes; no card numbers
  --endpoint URL         of AWS's APIs, for the local run`;

async function run({ functionName, endpoint, ...resolution }: ReturnType<typeof parse>): Promise<number> {
  const client = new LambdaClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: { requestTimeout: 2 * 60_000 },
  });
  const answer = await invoke(client, functionName, resolution);
  if (!answer.resolved) {
    console.error(`not recorded: ${answer.message}`);
    return 1;
  }
  console.log(
    `recorded: ${answer.class} of ${answer.businessDate}, ${answer.gateway}, ${answer.difference} minor units ${answer.currency}`,
  );
  return 0;
}

function parse() {
  const { values } = parseArgs({
    options: {
      function: { type: 'string' },
      break: { type: 'string' },
      difference: { type: 'string' },
      by: { type: 'string' },
      reason: { type: 'string' },
      endpoint: { type: 'string' },
    },
  });
  const needed = (name: 'function' | 'break' | 'difference' | 'by' | 'reason') => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  return {
    functionName: needed('function'),
    breakId: needed('break'),
    difference: needed('difference'),
    by: needed('by'),
    reason: needed('reason'),
    endpoint: values.endpoint,
  };
}

void runCommand({ name: 'resolve-break', usage, parse, run });
