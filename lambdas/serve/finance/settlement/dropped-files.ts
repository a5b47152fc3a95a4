import { createHash } from 'node:crypto';
import { holdsCardNumber } from '../../../base/runtime/card-number-search';
import type { GatewayMapping } from './gateways/mapping';

/** Where the gateways drop their files, each in a folder of its own name. */
export const incoming = 'incoming/';

/** What became of a file lies under one of these, by the file's name and its ETag. */
export const outcomeFolders = { loaded: 'loaded/', held: 'held/' } as const;

/** A version of a dropped file. */
export interface DroppedFile {
  readonly key: string;
  readonly etag: string;
}

const named = /^incoming\/([a-z0-9-]{1,64})\/([A-Za-z0-9][A-Za-z0-9 ._=@+()-]{0,199})$/;

/** The gateway's folder that a file lies in and the file's own name; undefined for a key that is neither. */
export function placeOf(key: string): { readonly folder: string; readonly name: string } | undefined {
  const [, folder, name] = named.exec(key) ?? [];
  return folder === undefined || name === undefined ? undefined : { folder, name };
}

export function mappingFor(folder: string, gateways: readonly GatewayMapping[]): GatewayMapping | undefined {
  return gateways.find(({ gateway }) => gateway === folder);
}

/** Where the outcome of a file lies: one object per version of it, so that a file that is mended has another. */
export function outcomeKey(outcome: keyof typeof outcomeFolders, { key, etag }: DroppedFile): string {
  const name = key.slice(incoming.length);
  const safe = holdsCardNumber(name) ? createHash('sha256').update(name).digest('hex') : name;
  return `${outcomeFolders[outcome]}${safe}/${etag.replaceAll(/[^\w-]/g, '')}.json`;
}

/** The files without an outcome, oldest first. What is no file, as the folders that some clients make, is left out. */
export function waitingFiles(
  dropped: readonly (DroppedFile & { readonly bytes: number; readonly writtenAt: Date })[],
  outcomes: ReadonlySet<string>,
): DroppedFile[] {
  return dropped
    .filter(({ key, bytes }) => !(key.endsWith('/') && bytes === 0))
    .filter(
      (file) =>
        !Object.keys(outcomeFolders).some((outcome) =>
          outcomes.has(outcomeKey(outcome as keyof typeof outcomeFolders, file)),
        ),
    )
    .sort((one, other) => one.writtenAt.getTime() - other.writtenAt.getTime());
}
