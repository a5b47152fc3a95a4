import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { invoke } from './command/invoke';
import { runCommand } from './command/run-command';

/** Makes and proves snapshots on demand. Ends with 0 when it went well, 1 when it did not, 2 when it was called wrongly. */
const usage = `usage: node build/bin/snapshot.js [options]

  --function FUNCTION  name of the function that makes snapshots, an output of the Lake stack
  --week YYYY-Www      make what is due up to this week, which must have ended (default: all that is due)
  --cut TIME           close the current week at this time (ISO 8601, or now) already; what it accepts later belongs to the next
  --rebuild YYYY-Www   make nothing: make this snapshot's rows again from its inputs, and compare
  --local FOLDER       in the local run with this state folder, instead of --function: .local`;

async function run({ functionName, client, request }: ReturnType<typeof parse>): Promise<number> {
  const lambda = new LambdaClient({
    ...client,
    // The function may take its fifteen minutes, and a second invocation while the first still runs helps nobody.
    maxAttempts: 1,
    requestHandler: { requestTimeout: 16 * 60_000 },
  });
  const outcome = await invoke(lambda, functionName, request);
  console.log(JSON.stringify(outcome));
  return outcome.left === 0 ? 0 : 1;
}

function parse() {
  const { values } = parseArgs({
    options: {
      function: { type: 'string' },
      week: { type: 'string' },
      cut: { type: 'string' },
      rebuild: { type: 'string' },
      local: { type: 'string' },
    },
  });
  const { function: given, local, ...request } = values;
  if ((given === undefined) === (local === undefined)) throw new Error('use one of --function and --local');
  if (Object.keys(request).length > 1) throw new Error('--week, --cut and --rebuild exclude each other: use one');
  if (request.cut === 'now') request.cut = new Date().toISOString();
  if (local === undefined) return { functionName: given!, client: {}, request };
  const { snapshotFunction, aws } = JSON.parse(readFileSync(join(local, 'endpoints.json'), 'utf8'));
  const { endpoint, region, ...credentials } = aws;
  return { functionName: snapshotFunction as string, client: { endpoint, region, credentials }, request };
}

void runCommand({ name: 'snapshot', usage, parse, run });
