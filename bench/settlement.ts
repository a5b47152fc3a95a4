import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { createPlatform } from '../lib/platform';
import { stageNamed } from '../lib/stages';
import { localRegion } from '../local/engines/engine';
import { settlementFile, someSettled } from '../test/engine-rig/settlements';
import { copyRoleArn, database, type LedgerBench, openLedger, workgroupName } from './base/ledger';
import { shown, table } from './base/measured';
import type { Settled } from './base/settle-process';

/*
 * A settlement file of a million rows, and one of a hundred thousand, through the function as it is deployed, with the
 * memory and the time that the template gives it: what it takes, and whether every cent of it is in the ledger.
 */

const gateways = ['adyen', 'stripe'] as const;
const rowsOfBatch = 10_000;

async function main(): Promise<void> {
  const bench = await openLedger();
  for (const Bucket of ['settlement', 'manifests']) await bench.s3.call('CreateBucket', { Bucket });
  const limits = limitsOf();
  console.log(`${limits.memoryMebibytes} MiB and ${limits.seconds} s are allowed`);
  try {
    const taken: string[][] = [];
    for (const gateway of gateways)
      for (const rows of [100_000, 1_000_000]) taken.push(await measure(bench, gateway, rows, limits));
    table('settlement files', ['MB', 'seconds', 'CPU seconds', 'MiB at most', 'again, seconds'], taken);
  } finally {
    await bench.close();
  }
}

async function measure(
  { s3, client, door }: LedgerBench,
  gateway: (typeof gateways)[number],
  rows: number,
  limits: { readonly memoryMebibytes: number; readonly seconds: number },
): Promise<string[]> {
  const batches = Array.from({ length: rows / rowsOfBatch }, (_, number) =>
    // A monthly fee and the payout, which Stripe does not list, are the last rows.
    someSettled(`${rows}-${number}`, rowsOfBatch - (gateway === 'adyen' ? 2 : 1)),
  );
  const Body = Buffer.concat(
    batches.map((batch, number) => {
      const file = settlementFile[gateway](batch);
      return Buffer.from(number === 0 ? file : file.slice(file.indexOf('\n') + 1));
    }),
  );
  const key = `incoming/${gateway}/${rows}.csv`;
  await s3.call('PutObject', { Bucket: 'settlement', Key: key, Body });
  const expected = batches.flatMap(({ settled }) => settled).reduce((sum, { fee }) => sum + fee, 0);

  const first = await settle(door, key, limits);
  const again = await settle(door, key, limits);

  const {
    rows: [found],
  } = await client.query(
    `SELECT COUNT(*)::int AS rows, SUM(fee)::int AS fees, (SELECT SUM(rows)::int FROM finance.settlement_files WHERE object_key = $1) AS told
     FROM finance.settlement_lines WHERE file_digest = (SELECT file_digest FROM finance.settlement_files WHERE object_key = $1)`,
    [key],
  );
  const answers = JSON.stringify([first.outcome, again.outcome, found]);
  const right = JSON.stringify([
    { loaded: 1, repeated: 0, held: 0 },
    { loaded: 0, repeated: 1, held: 0 },
    { rows, fees: expected, told: rows },
  ]);
  if (answers !== right) throw new Error(`${key}: got ${answers}, allowed ${right}`);
  if (first.seconds > limits.seconds || first.memoryMebibytes > limits.memoryMebibytes)
    throw new Error(`${key} took ${first.seconds} s and ${first.memoryMebibytes} MiB`);
  return [
    `${gateway}, ${shown(rows)} rows`,
    ...[Body.length / 1e6, first.seconds, first.cpuSeconds, first.memoryMebibytes, again.seconds].map(shown),
  ];
}

/** In a process of its own, with a heap that leaves the rest of Node some room in the function's memory. */
async function settle(
  door: LedgerBench['door'],
  key: string,
  { memoryMebibytes, seconds }: { readonly memoryMebibytes: number; readonly seconds: number },
): Promise<Settled> {
  const keys = door.registerAdministrator('arn:aws:iam::000000000000:user/bench');
  const child = fork(join(__dirname, 'base', 'settle-process.js'), [key], {
    execArgv: [`--max-old-space-size=${Math.floor(memoryMebibytes * 0.9)}`],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      AWS_REGION: localRegion,
      AWS_ENDPOINT_URL: door.url,
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      SETTLEMENT_BUCKET_NAME: 'settlement',
      MANIFEST_BUCKET_NAME: 'manifests',
      WORKGROUP_NAME: workgroupName,
      DATABASE_NAME: database,
      COPY_ROLE_ARN: copyRoleArn,
      TIMEOUT_MS: String(seconds * 1_000),
    },
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${key}: the function ended with ${code}`);
  });
  const [settled] = (await Promise.race([once(child, 'message'), ended])) as [Settled];
  child.disconnect();
  await ended.catch(() => {});
  return settled;
}

function limitsOf(): { readonly memoryMebibytes: number; readonly seconds: number } {
  const outdir = mkdtempSync(join(tmpdir(), 'tillstream-synth-'));
  const app = new App({
    outdir,
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
  });
  createPlatform(app, stageNamed('prod'));
  const finance = app.node.children.find(({ node }) => node.id.includes('Finance')) as Stack;
  const functions = Template.fromStack(finance).findResources('AWS::Lambda::Function');
  rmSync(outdir, { recursive: true, force: true });
  const { MemorySize, Timeout } = Object.values<any>(functions).find(({ Properties }) =>
    /settlement files/.test(Properties.Description),
  ).Properties;
  return { memoryMebibytes: MemorySize, seconds: Timeout };
}

void main();
