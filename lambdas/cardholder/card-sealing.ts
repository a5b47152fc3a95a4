import { createCipheriv, createDecipheriv, createHmac, type KeyObject, randomBytes } from 'node:crypto';
import type { CardNumber } from './card-number';
import type { CardToken } from './card-token';

const ivBytes = 12;
const tagBytes = 16;

/**
 * The key of a card's item: the keyed hash of the whole number (PCI DSS 3.5.1.1), under the version of the index key. It
 * never leaves the vault: beside the six and four digits that do, it would tell the rest to whoever has the key.
 */
export function indexOf(card: CardNumber, version: number, key: KeyObject): string {
  return `${indexPrefix(version)}${createHmac('sha256', key).update(card.reveal()).digest('base64url')}`;
}

/** What all items under one version of the index key start with. */
export function indexPrefix(version: number): string {
  return `card#${version}#`;
}

/** AES-256-GCM, as iv, ciphertext, tag. The token is authenticated with it: a seal moved to another token won't open. */
export function seal(card: CardNumber, token: CardToken, key: KeyObject): Uint8Array {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.from(token));
  return Buffer.concat([iv, cipher.update(card.reveal(), 'latin1'), cipher.final(), cipher.getAuthTag()]);
}

/** The digits under a seal; throws when seal, token and key do not belong together. */
export function unseal(sealed: Uint8Array, token: CardToken, key: KeyObject): string {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(token));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  return decipher.update(sealed.subarray(ivBytes, -tagBytes), undefined, 'latin1') + decipher.final('latin1');
}
