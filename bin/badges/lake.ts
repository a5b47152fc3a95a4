import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AthenaClient } from '@aws-sdk/client-athena';
import { type LakeQueries, lakeQueries } from '../../lambdas/base/runtime/athena';

/** Options of every command that asks the lake. */
export const lakeOptions = {
  stage: { type: 'string' },
  local: { type: 'string' },
} as const;

export const lakeUsage = `  --stage STAGE   whose lake: its Athena workgroup is asked, with the caller's own credentials
  --local FOLDER  the local run with this state folder, instead of --stage: .local`;

const patienceMs = 10 * 60_000;

/** The lake of a stage. Throws for options that name none. */
export function lakeOf({ stage, local }: { readonly stage?: string; readonly local?: string }): LakeQueries {
  if ((stage === undefined) === (local === undefined)) throw new Error('use one of --stage and --local');
  const name = stage ?? 'local';
  if (!/^[a-z][a-z0-9-]*$/.test(name))
    throw new Error(`--stage is '${name}': use the name of a stage, for example prod`);
  const end = Date.now() + patienceMs;
  return lakeQueries(new AthenaClient(local === undefined ? {} : clientOf(local)), {
    workgroupName: `tillstream-${name}`,
    database: `tillstream_${name}`,
    remainingMs: () => end - Date.now(),
  });
}

function clientOf(folder: string) {
  const { endpoint, region, ...credentials } = JSON.parse(readFileSync(join(folder, 'endpoints.json'), 'utf8')).aws;
  return { endpoint, region, credentials };
}
