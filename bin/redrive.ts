import { parseArgs } from 'node:util';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { runCommand } from './command/run-command';
import { redriveHeld } from './redrive/redrive-held';

/**
 * Sends held events to their function again under their original positions, and takes out of the bucket what it processed.
 * Ends with 0 when nothing is left, 1 when something is, 2 when it was called wrongly.
 */
const usage = `usage: node build/bin/redrive.js --bucket BUCKET --function FUNCTION [options]

  --bucket BUCKET        where the records are held
  --function FUNCTION    name of the function that held them or gave them up
  --prefix PREFIX        only objects under this prefix; may be repeated (default: held/ and aws/lambda/)
  --max-age-days DAYS    leave objects that were held longer ago (default: 14; never more than the stage's redriveDays)
  --endpoint URL         of AWS's APIs, for the local run
  --dry-run              say what would be sent, send nothing`;

async function run({
  bucket,
  functionName,
  prefixes,
  maximumAgeDays,
  endpoint,
  dryRun,
}: ReturnType<typeof parse>): Promise<number> {
  const client = endpoint === undefined ? {} : { endpoint };
  const { done, records, left, heldAgain } = await redriveHeld(
    new S3Client({ ...client, forcePathStyle: true }),
    // A function may take minutes, and a second invocation while the first still runs helps nobody.
    new LambdaClient({ ...client, maxAttempts: 1, requestHandler: { requestTimeout: 15 * 60_000 } }),
    { bucket, functionName, prefixes, maximumAgeDays, dryRun, now: Date.now(), print: (line) => console.log(line) },
  );
  console.log(
    `${dryRun ? 'would send' : 'sent'} ${done} objects (${records} records), held again ${heldAgain}, left ${left}`,
  );
  return left + heldAgain === 0 ? 0 : 1;
}

function parse() {
  const { values } = parseArgs({
    options: {
      bucket: { type: 'string' },
      function: { type: 'string' },
      prefix: { type: 'string', multiple: true, default: ['held/', 'aws/lambda/'] },
      'max-age-days': { type: 'string', default: '14' },
      endpoint: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const { bucket, function: functionName, prefix: prefixes, endpoint } = values;
  if (bucket === undefined) throw new Error('--bucket is missing');
  if (functionName === undefined) throw new Error('--function is missing');
  const maximumAgeDays = Number(values['max-age-days']);
  if (!(maximumAgeDays > 0)) throw new Error(`--max-age-days is '${values['max-age-days']}': use a number above 0`);
  return { bucket, functionName, prefixes, maximumAgeDays, endpoint, dryRun: values['dry-run'] };
}

void runCommand({ name: 'redrive', usage, parse, run });
