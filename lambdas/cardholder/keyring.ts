import { createSecretKey, type KeyObject } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DecryptCommand, type KMSClient } from '@aws-sdk/client-kms';
import { log } from '../base/runtime/log';
import { describeFailure } from './failure';
import { encryptionContext, type KeyPurpose, type Keyset, type RefreshTimes, readKeyset, staleAfterMs } from './keyset';

export interface KeyringOptions extends RefreshTimes {
  readonly dynamoDb: DynamoDBClient;
  readonly kms: KMSClient;
  readonly tableName: string;
  /** The KMS key of each purpose; only those that this function may use. */
  readonly wrappingKeys: Readonly<Partial<Record<KeyPurpose, string>>>;
  readonly now?: () => number;
}

/** The keyset cannot be had, or is too old to be trusted: nothing may be written under it, the sender tries again. */
export class KeysetUnavailable extends Error {
  override readonly name = 'KeysetUnavailable';
}

/**
 * The vault's keys in one container: the keyset is read again after a refresh interval, by one GetItem, and KMS is asked
 * only for key versions not seen yet. So KMS calls grow with containers and rotations, never with cards.
 */
export class Keyring {
  readonly #keys = new Map<string, Promise<KeyObject>>();
  readonly #now: () => number;
  #keyset: Keyset | undefined;
  /** When the keyset was asked for, not when it came: nothing newer was known then. */
  #askedMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(private readonly options: KeyringOptions) {
    this.#now = options.now ?? Date.now;
  }

  /** The keyset, at most two refreshes old. */
  async keyset(): Promise<Keyset> {
    if (this.#age() >= this.options.refreshMs) {
      this.#refreshing ??= this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
      await this.#refreshing;
    }
    if (this.#keyset === undefined || this.#age() >= staleAfterMs(this.options))
      throw new KeysetUnavailable('the keyset is missing or older than two refreshes');
    return this.#keyset;
  }

  /** An unwrapped key of the keyset. Kept until the container ends. */
  async key(keyset: Keyset, purpose: KeyPurpose, version: number): Promise<KeyObject> {
    const name = `${purpose}#${version}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = this.#unwrap(keyset, purpose, version);
      this.#keys.set(name, key);
      // A failure is not kept: the next request asks again.
      key.catch(() => this.#keys.delete(name));
    }
    return key;
  }

  #age(): number {
    return this.#now() - this.#askedMs;
  }

  async #refresh(): Promise<void> {
    const askedMs = this.#now();
    try {
      const keyset = await readKeyset(this.options.dynamoDb, this.options.tableName);
      if (keyset === undefined) throw new KeysetUnavailable('the vault has no keyset yet');
      this.#keyset = keyset;
      this.#askedMs = askedMs;
    } catch (error) {
      // The one in hand serves until it is stale; after that `keyset` refuses.
      log.warn('keyset refresh failed', describeFailure(error));
    }
  }

  async #unwrap(keyset: Keyset, purpose: KeyPurpose, version: number): Promise<KeyObject> {
    const { kms, tableName, wrappingKeys } = this.options;
    const wrapped = keyset.wrapped[purpose][version];
    const keyArn = wrappingKeys[purpose];
    if (wrapped === undefined || keyArn === undefined)
      throw new KeysetUnavailable(`there is no ${purpose} key of version ${version}`);
    const { Plaintext } = await kms.send(
      new DecryptCommand({
        KeyId: keyArn,
        CiphertextBlob: wrapped,
        EncryptionContext: encryptionContext(purpose, tableName, version),
      }),
    );
    const key = createSecretKey(Plaintext!);
    Plaintext!.fill(0);
    return key;
  }
}
