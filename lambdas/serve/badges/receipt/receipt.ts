import { type BadgeDatabase, badgeDatabases } from '../../../base/domain/badge';
import { heartbeatSlots } from '../../../base/domain/heartbeat-slots';
import type { BeatReference, CountReference, ItemReference } from './facts';

/**
 * A receipt: which rows an answer was computed from, when and under which policy, and a digest of what they said. It is
 * base64url of bytes that only this file knows; the first is the version of the form.
 */
export interface Receipt {
  readonly digest: Buffer;
  readonly evaluatedAt: number;
  readonly policyVersion: string;
  readonly sku: string;
  readonly item: ItemReference;
  readonly beats: Readonly<Record<BadgeDatabase, BeatReference>>;
  readonly centres: readonly {
    readonly fc: string;
    readonly centre: ItemReference;
    readonly count: CountReference;
    readonly stock: ItemReference;
  }[];
}

const formVersion = 1;
const digestLength = 12;
const mostText = 256;
const mostCentres = 64;

export function encodeReceipt(receipt: Receipt): string {
  at = 0;
  putByte(formVersion);
  at += receipt.digest.copy(bytes, at);
  putNumber(receipt.evaluatedAt);
  putText(receipt.policyVersion);
  putText(receipt.sku);
  putItem(receipt.item);
  for (const database of badgeDatabases) {
    const beat = receipt.beats[database];
    putByte(slotNumbers.get(beat.slot)!);
    putItem(beat);
  }
  putByte(receipt.centres.length);
  for (const { fc, centre, count, stock } of receipt.centres) {
    putText(fc);
    putItem(centre);
    putNumber(count.version ?? 0);
    putItem(stock);
  }
  return bytes.toString('base64url', 0, at);
}

// Lookups write one per SKU while a page waits: into the same memory, one after the other.
const bytes = Buffer.allocUnsafeSlow(64 * 1_024);
let at = 0;
const slotNumbers = new Map(heartbeatSlots.map((slot, number) => [slot, number]));

// What the first byte of an item says.
const logPosition = 1;
const sweptPosition = 2;
const otherPosition = 3;
const fillsFlag = 4;
const heldFlag = 8;
const endedFlag = 16;

const logForm = /^\d{6}:[0-9A-F]{16}:\d{10}(\/\d{4,})?$/;
const sweptForm = /^\d{6}:-$/;
const fillsAt = 34;

function putItem({ position, heldSince, endedAt }: ItemReference & { readonly endedAt?: number }): void {
  let kind = 0;
  if (position !== undefined)
    kind = logForm.test(position) ? logPosition : sweptForm.test(position) ? sweptPosition : otherPosition;
  const hasFills = kind === logPosition && position!.length > fillsAt;
  putByte(
    kind |
      (hasFills ? fillsFlag : 0) |
      (heldSince === undefined ? 0 : heldFlag) |
      (endedAt === undefined ? 0 : endedFlag),
  );
  if (kind === otherPosition) putText(position!);
  else if (kind !== 0) putNumber(Number(position!.slice(0, 6)));
  if (kind === logPosition) {
    putNumber(Number.parseInt(position!.slice(7, 15), 16));
    putNumber(Number.parseInt(position!.slice(15, 23), 16));
    putNumber(Number(position!.slice(24, fillsAt)));
  }
  if (hasFills) putNumber(Number(position!.slice(fillsAt + 1)));
  if (heldSince !== undefined) putNumber(Math.max(0, heldSince));
  if (endedAt !== undefined) putNumber(endedAt);
}

function putByte(byte: number): void {
  bytes[at++] = byte;
}

/** Seven bits a byte, the lowest first. */
function putNumber(number: number): void {
  let left = number;
  for (; left >= 128; left = Math.floor(left / 128)) bytes[at++] = (left % 128) | 128;
  bytes[at++] = left;
}

function putText(text: string): void {
  putNumber(Buffer.byteLength(text));
  at += bytes.write(text, at);
}

/** Reads a receipt; what is none is said in a `reason`. */
export function decodeReceipt(text: string): Receipt | { readonly reason: string } {
  if (!/^[\w-]+$/.test(text)) return { reason: 'a receipt is text of A-Z a-z 0-9 _ -' };
  const given = Buffer.from(text, 'base64url');
  if (given[0] !== formVersion) return { reason: `got a receipt of version ${given[0]}, allowed: ${formVersion}` };
  try {
    const reader = new Reader(given);
    const receipt = reader.receipt();
    // Whatever else these bytes may be, they are not what was given out.
    if (encodeReceipt(receipt) !== text) throw new RangeError('not as it was written');
    return receipt;
  } catch {
    return { reason: 'got a receipt that ends too early, or was changed' };
  }
}

class Reader {
  #at = 1;

  constructor(private readonly given: Buffer) {}

  receipt(): Receipt {
    const digest = this.#take(digestLength);
    const evaluatedAt = this.#number();
    // Beyond that there is no date.
    if (evaluatedAt > 8.64e15) throw new RangeError('too late');
    const policyVersion = this.#text();
    const sku = this.#text();
    const item = this.#item();
    const [inventory, orders] = [this.#beat(), this.#beat()];
    const centres = Array.from({ length: Math.min(this.#byte(), mostCentres) }, () => ({
      fc: this.#text(),
      centre: this.#item(),
      count: this.#count(),
      stock: this.#item(),
    }));
    return { digest, evaluatedAt, policyVersion, sku, item, beats: { inventory, orders }, centres };
  }

  #beat(): BeatReference {
    const slot = heartbeatSlots[this.#byte()];
    if (slot === undefined) throw new RangeError('no slot');
    return { slot, ...this.#item() };
  }

  #count(): CountReference {
    const version = this.#number();
    return version === 0 ? {} : { version };
  }

  #item(): ItemReference {
    const flags = this.#byte();
    const position = this.#position(flags);
    return {
      ...(position === undefined ? {} : { position }),
      ...((flags & heldFlag) === 0 ? {} : { heldSince: this.#number() }),
      ...((flags & endedFlag) === 0 ? {} : { endedAt: this.#number() }),
    };
  }

  #position(flags: number): string | undefined {
    const kind = flags & 3;
    if (kind === 0) return undefined;
    if (kind === otherPosition) return this.#text();
    const epoch = this.#digits(6);
    const log = () => `${this.#hex()}${this.#hex()}:${this.#digits(10)}`;
    const position = `${epoch}:${kind === logPosition ? log() : '-'}`;
    return (flags & fillsFlag) === 0 ? position : `${position}/${this.#digits(4)}`;
  }

  #hex(): string {
    return this.#number().toString(16).toUpperCase().padStart(8, '0');
  }

  #digits(length: number): string {
    return String(this.#number()).padStart(length, '0');
  }

  #number(): number {
    let number = 0;
    for (let weight = 1; ; weight *= 128) {
      const byte = this.#byte();
      number += (byte & 127) * weight;
      if (!Number.isSafeInteger(number)) throw new RangeError('too large');
      if (byte < 128) return number;
    }
  }

  #text(): string {
    const length = this.#number();
    if (length > mostText) throw new RangeError('too long');
    return this.#take(length).toString();
  }

  #byte(): number {
    return this.#take(1)[0]!;
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.given.length) throw new RangeError('too short');
    this.#at += length;
    return this.given.subarray(this.#at - length, this.#at);
  }
}
