import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { lockFile, lockFolder } from './folder-lock';
import type { Created } from './template/resource-model';

const marker = 'tillstream-state.json';

/** The folder in which a run keeps everything, left there afterwards to be looked at. */
export interface StateFolder {
  readonly path: string;
  /** What an earlier run made of the template, by `stack/logicalId`; empty for a fresh start. */
  readonly created: Readonly<Record<string, Created>>;
  /** Remembers what was made, for a run that keeps it. */
  save(created: Readonly<Record<string, Created>>): void;
  /** Lets another run have it. */
  release(): void;
}

/**
 * Makes the folder ready and ours alone: emptied, or with `keep` as it was left. A folder with files that no run has left
 * there is refused, so that nothing of anyone else is deleted, and one that another run is using.
 */
export function openStateFolder(directory: string, keep: boolean): StateFolder {
  const path = resolve(directory);
  if (existsSync(path) && !statSync(path).isDirectory())
    throw new Error(`${path} is a file: name a folder with --state`);
  mkdirSync(path, { recursive: true });
  const markerFile = join(path, marker);
  if (!existsSync(markerFile) && readdirSync(path).length > 0)
    throw new Error(`${path} holds files that are not from an earlier run: name an empty folder with --state`);
  const save = (created: Readonly<Record<string, Created>>) => {
    writeFileSync(`${markerFile}.new`, JSON.stringify({ created }, null, 2));
    renameSync(`${markerFile}.new`, markerFile);
  };
  // First of all, and never taken away: without it, whatever a killed run leaves would count as someone else's.
  if (!existsSync(markerFile)) save({});
  const release = lockFolder(path);
  const { created } = JSON.parse(readFileSync(markerFile, 'utf8'));
  // What a run left that never got up holds no sales, and may be half made.
  if (keep && Object.keys(created).length > 0) return { path, created, save, release };

  save({});
  for (const entry of readdirSync(path))
    if (entry !== marker && entry !== lockFile) rmSync(join(path, entry), { recursive: true, force: true });
  return { path, created: {}, save, release };
}
