import type { Context } from 'aws-lambda';
import { dynamoDbClient, kmsClient } from '../../base/runtime/clients';
import { requireEnv } from '../../base/runtime/env';
import { log } from '../../base/runtime/log';
import { Keyring } from '../keyring';
import { type KeyPurpose, type Keyset, newWrappedKey, readKeyset, writeKeyset } from '../keyset';
import { VaultTable } from '../vault-table';
import { OldCards } from './old-cards';
import { goOn } from './passes';
import { type Action, actions, newestVersion, newPass, nextKeyset, obstacle, type Pass } from './rotation';

const dynamoDb = dynamoDbClient();
const kms = kmsClient();
const tableName = requireEnv('VAULT_TABLE_NAME');
const wrappingKeys = { index: requireEnv('INDEX_WRAPPING_KEY_ARN'), data: requireEnv('DATA_WRAPPING_KEY_ARN') };
const times = { refreshMs: Number(requireEnv('KEYSET_REFRESH_SECONDS')) * 1_000 };
const oldCards = new OldCards(dynamoDb, tableName);
// A page takes well under a second; this is for one that is throttled.
const reserveMs = 15_000;

/** Where the rotation stands. `waiting` says why nothing was done. */
export interface RotationStatus {
  readonly phase: Keyset['phase'];
  readonly index: number;
  readonly nextIndex?: number;
  readonly data: number;
  readonly pass?: Pass;
  readonly waiting?: string;
}

/**
 * One step of a rotation of the index key, asked for by the operator's command (bin/rotate-index-key.ts).
 *
 * On repeat: a step that was done answers what it waits for and changes nothing; a pass goes on where the last one
 * stopped. On bad data: a card that does not open, or has another token under the new index, stops the rotation; sales go
 * on under the phase that it is in. On failure: thrown; ask again.
 */
export async function handler(event: { readonly action?: string }, context: Context): Promise<RotationStatus> {
  const action = actions.find((each) => each === event.action);
  if (action === undefined) throw new Error(`action: allowed are ${actions.join(', ')}`);
  const keyset = await readKeyset(dynamoDb, tableName);
  if (keyset === undefined) throw new Error('the vault has no keyset yet: deploy it first');
  const pass = await oldCards.readPass();
  const waiting = obstacle(action, keyset, pass, times, Date.now());
  if (waiting !== undefined) return { ...statusOf(keyset, pass), waiting };

  switch (action) {
    case 'status':
      return statusOf(keyset, pass);
    case 'backfill':
    case 'verify':
    case 'purge':
      return statusOf(keyset, await runPass(action, keyset, pass, context));
    default:
      return statusOf(await change(action, keyset), pass);
  }
}

async function runPass(kind: Pass['kind'], keyset: Keyset, pass: Pass | undefined, context: Context): Promise<Pass> {
  // A pass that ended is run anew when it is asked for again: verify until nothing is found.
  const same = pass?.kind === kind && pass.nextIndex === keyset.nextIndex && !pass.done;
  const keyring = new Keyring({ dynamoDb, kms, tableName, wrappingKeys, ...times });
  const table = new VaultTable(dynamoDb, tableName);
  const start = same ? pass : newPass(kind, keyset.nextIndex!);
  const isTimeLeft = () => context.getRemainingTimeInMillis() > reserveMs;
  const now = await goOn(start, keyset, { oldCards, table, keyring }, isTimeLeft);
  const { cards, copied, mismatched, done } = now;
  log.info('pass over old cards', { kind, cards, copied, mismatched, done });
  return now;
}

async function change(action: Exclude<Action, 'status' | Pass['kind']>, keyset: Keyset): Promise<Keyset> {
  let wrapped: Uint8Array | undefined;
  if (action === 'start' || action === 'data-key') {
    const purpose: KeyPurpose = action === 'start' ? 'index' : 'data';
    const version = newestVersion(keyset, purpose) + 1;
    wrapped = await newWrappedKey(kms, { keyArn: wrappingKeys[purpose], purpose, tableName, version });
  }
  const next = nextKeyset(action, keyset, Date.now(), wrapped);
  if (!(await writeKeyset(dynamoDb, tableName, next)))
    throw new Error('the keyset was changed by another: ask for status');
  log.info('keyset changed', { action, phase: next.phase, revision: next.revision });
  return next;
}

function statusOf({ phase, index, nextIndex, data }: Keyset, pass: Pass | undefined): RotationStatus {
  return {
    phase,
    index,
    data,
    ...(nextIndex === undefined ? {} : { nextIndex }),
    ...(pass === undefined ? {} : { pass }),
  };
}
