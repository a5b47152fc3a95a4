import * as fs from 'node:fs';
import * as path from 'node:path';
import { AwsError, localAccount, localRegion } from './engine';
import { type Key, keyArn } from './kms-keys';

/** All keys and aliases, kept in a file that only its owner may read, or in memory without a folder. */
export class KeyStore {
  readonly keys: Map<string, Key>;
  /** Alias name to key id. */
  readonly aliases: Map<string, string>;
  private readonly file: string | undefined;

  constructor(directory: string | undefined) {
    this.file = directory === undefined ? undefined : path.join(directory, 'keys.json');
    const stored =
      this.file !== undefined && fs.existsSync(this.file) ? JSON.parse(fs.readFileSync(this.file, 'utf8')) : {};
    this.keys = new Map((stored.keys ?? []).map((key: Key) => [key.id, key]));
    this.aliases = new Map(stored.aliases ?? []);
  }

  save(): void {
    if (this.file === undefined) return;
    fs.mkdirSync(path.dirname(this.file), { recursive: true, mode: 0o700 });
    const text = JSON.stringify({ keys: [...this.keys.values()], aliases: [...this.aliases] });
    fs.writeFileSync(`${this.file}.new`, text, { mode: 0o600 });
    fs.renameSync(`${this.file}.new`, this.file);
  }

  /** The key that an id, ARN, alias or alias ARN names, whatever its state. */
  find(name: unknown): Key {
    if (typeof name !== 'string' || name === '') throw invalid('keyId', 'Member must not be null');
    const local = name.replace(/^arn:aws:kms:[a-z0-9-]+:\d{12}:(key\/)?/, '');
    if (local.startsWith('alias/')) {
      const key = this.keys.get(this.aliases.get(local) ?? '');
      if (key === undefined) throw new AwsError('NotFoundException', `Alias ${aliasArn(local)} is not found.`);
      return key;
    }
    const key = this.keys.get(local);
    if (key !== undefined) return key;
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(local)) {
      throw new AwsError('NotFoundException', `Invalid keyId '${name}'`);
    }
    throw new AwsError('NotFoundException', `Key '${keyArn(local)}' does not exist`);
  }

  /** The same, for use: enabled, and made for this. */
  usable(name: unknown, usage: Key['usage'], operation: string): Key {
    return this.checkUsable(this.find(name), usage, operation);
  }

  checkUsable(key: Key, usage: Key['usage'], operation: string): Key {
    if (key.state === 'Disabled') throw new AwsError('DisabledException', `${keyArn(key.id)} is disabled.`);
    if (key.state !== 'Enabled') throw pendingDeletion(key);
    if (key.usage !== usage) {
      const message = `${keyArn(key.id)} key usage is ${key.usage} which is not valid for ${operation}.`;
      throw new AwsError('InvalidKeyUsageException', message);
    }
    return key;
  }

  /** Moves a key to another state; one that waits for its deletion must be brought back first. */
  change(key: Key, state: Key['state']): undefined {
    if (key.state === 'PendingDeletion') throw pendingDeletion(key);
    key.state = state;
    this.save();
  }

  rotate(key: Key, rotates: boolean): undefined {
    key.rotates = rotates;
    this.save();
  }

  point(alias: string, key: Key): undefined {
    this.aliases.set(alias, key.id);
    this.save();
  }
}

/** A key as DescribeKey answers it. */
export function keyMetadata(key: Key): Record<string, unknown> {
  return {
    AWSAccountId: localAccount,
    KeyId: key.id,
    Arn: keyArn(key.id),
    CreationDate: key.created,
    Enabled: key.state === 'Enabled',
    Description: key.description,
    KeyUsage: key.usage,
    KeyState: key.state,
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: key.spec,
    KeySpec: key.spec,
    MultiRegion: false,
    ...(key.usage === 'ENCRYPT_DECRYPT'
      ? { EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'] }
      : { MacAlgorithms: [macAlgorithm(key)] }),
    ...(key.deletion === undefined ? {} : { DeletionDate: key.deletion }),
  };
}

/** The one MAC algorithm of an HMAC key. */
export const macAlgorithm = (key: Key) => key.spec.replace('HMAC_', 'HMAC_SHA_');

/** An alias's ARN. */
export const aliasArn = (name: string) => `arn:aws:kms:${localRegion}:${localAccount}:${name}`;

/** Refuses names that KMS refuses, among them those of AWS's own keys. */
export function checkAlias(name: unknown): void {
  if (!/^alias\/(?!aws\/)[a-zA-Z0-9/_-]{1,250}$/.test(String(name))) {
    throw new AwsError(
      'InvalidAliasNameException',
      `alias name ${String(name)} is invalid: alias/ and 1 to 250 letters`,
    );
  }
}

/** A request that breaks a constraint of the API's model. */
export function invalid(member: string, constraint: string): AwsError {
  const message = `1 validation error detected: Value at '${member}' failed to satisfy constraint: ${constraint}`;
  return new AwsError('ValidationException', message);
}

function pendingDeletion(key: Key): AwsError {
  return new AwsError('KMSInvalidStateException', `${keyArn(key.id)} is pending deletion.`);
}
