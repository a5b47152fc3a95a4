import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { AwsError, localAccount, localRegion } from './engine';

/** One KMS key with its material. */
export interface Key {
  readonly id: string;
  readonly spec: 'SYMMETRIC_DEFAULT' | keyof typeof macDigests;
  readonly usage: 'ENCRYPT_DECRYPT' | 'GENERATE_VERIFY_MAC';
  readonly description: string;
  readonly created: number;
  readonly tags: readonly { readonly TagKey: string; readonly TagValue: string }[];
  policy: string;
  state: 'Enabled' | 'Disabled' | 'PendingDeletion';
  deletion?: number;
  rotates: boolean;
  /** Every generation of the material as base64, the newest last: rotation must not lose what was encrypted before. */
  readonly material: string[];
}

/** Digest and key length per HMAC key specification. */
export const macDigests = {
  HMAC_224: { digest: 'sha224', bytes: 28 },
  HMAC_256: { digest: 'sha256', bytes: 32 },
  HMAC_384: { digest: 'sha384', bytes: 48 },
  HMAC_512: { digest: 'sha512', bytes: 64 },
} as const;

export type EncryptionContext = Readonly<Record<string, string>> | undefined;

/** A key's ARN. */
export function keyArn(id: string): string {
  return `arn:aws:kms:${localRegion}:${localAccount}:key/${id}`;
}

const format = 1;
const headerBytes = 1 + 16 + 2;
const ivBytes = 12;
const tagBytes = 16;

/** Ciphertext blob: format, key id, generation of the material, nonce, tag, ciphertext. All of it is authenticated, with the context. */
export function encrypt(key: Key, plaintext: Buffer, context: EncryptionContext): Buffer {
  const generation = key.material.length - 1;
  const header = Buffer.alloc(headerBytes);
  header[0] = format;
  Buffer.from(key.id.replaceAll('-', ''), 'hex').copy(header, 1);
  header.writeUInt16BE(generation, 17);
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key.material[generation]!, 'base64'), iv);
  cipher.setAAD(Buffer.concat([header, authenticated(context)]));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([header, iv, cipher.getAuthTag(), ciphertext]);
}

/** The id of the key that made a blob, or an InvalidCiphertextException. */
export function keyIdOf(blob: Buffer): string {
  if (blob.length <= headerBytes + ivBytes + tagBytes || blob[0] !== format) throw invalidCiphertext();
  return blob.toString('hex', 1, 17).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Opens a blob of this key; any other context, and any changed bit, is an InvalidCiphertextException. */
export function decrypt(key: Key, blob: Buffer, context: EncryptionContext): Buffer {
  const header = blob.subarray(0, headerBytes);
  const material = key.material[header.readUInt16BE(17)];
  if (material === undefined) throw invalidCiphertext();
  const iv = blob.subarray(headerBytes, headerBytes + ivBytes);
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(material, 'base64'), iv);
  decipher.setAAD(Buffer.concat([header, authenticated(context)]));
  decipher.setAuthTag(blob.subarray(headerBytes + ivBytes, headerBytes + ivBytes + tagBytes));
  try {
    return Buffer.concat([decipher.update(blob.subarray(headerBytes + ivBytes + tagBytes)), decipher.final()]);
  } catch {
    throw invalidCiphertext();
  }
}

/** AWS gives no reason here, so that the answer helps nobody to guess. */
export function invalidCiphertext(): AwsError {
  return new AwsError('InvalidCiphertextException', '');
}

/** The context in one form whatever the order of its pairs. JSON keeps `{ab: c}` and `{a: bc}` apart. */
function authenticated(context: EncryptionContext): Buffer {
  const pairs = Object.entries(context ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify(pairs));
}
