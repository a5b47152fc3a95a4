import { parseArgs } from 'node:util';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

/**
 * Records what was found out about a break of the reconciliation: who, when and why. Changes neither ledger nor settlement.
 * Ends with 0 when it is recorded, 1 when it is not, 2 when it was called wrongly.
 */
const usage = `usage: node build/bin/resolve-break.js --function FUNCTION --break ID --by NAME --reason TEXT [--endpoint URL]

  --function FUNCTION    name of Finance's resolving function (output ResolveFunction of its stack)
  --break ID             the break's id, as the report shows it
  --by NAME              who found it out
  --reason TEXT          what it is, at most 1,000 bytes; no card numbers
  --endpoint URL         of AWS's APIs, for the local run`;

async function main(): Promise<number> {
  let options: ReturnType<typeof parse>;
  try {
    options = parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  const { functionName, endpoint, ...resolution } = options;
  const client = new LambdaClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: { requestTimeout: 2 * 60_000 },
  });
  const { Payload, FunctionError } = await client.send(
    new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(resolution) }),
  );
  const answer = JSON.parse(Buffer.from(Payload ?? []).toString());
  if (FunctionError !== undefined) throw new Error(answer.errorMessage);
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
      by: { type: 'string' },
      reason: { type: 'string' },
      endpoint: { type: 'string' },
    },
  });
  const needed = (name: 'function' | 'break' | 'by' | 'reason') => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  return {
    functionName: needed('function'),
    breakId: needed('break'),
    by: needed('by'),
    reason: needed('reason'),
    endpoint: values.endpoint,
  };
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    console.error(`resolve-break failed: ${error.name}: ${error.message}`);
    process.exitCode = 1;
  },
);
