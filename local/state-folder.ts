import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Created } from './template/resource-model';

const marker = 'tillstream-state.json';

/** The folder in which a run keeps everything, left there afterwards to be looked at. */
export interface StateFolder {
  readonly path: string;
  /** What an earlier run made of the template, by `stack/logicalId`; empty for a fresh start. */
  readonly created: Readonly<Record<string, Created>>;
  /** Remembers what was made, for a run that keeps it. */
  save(created: Readonly<Record<string, Created>>): void;
}

/**
 * Makes the folder ready: emptied, or with `keep` as it was left. A folder with files that no run has left there is
 * refused: nothing of anyone else is deleted.
 */
export function openStateFolder(directory: string, keep: boolean): StateFolder {
  const path = resolve(directory);
  mkdirSync(path, { recursive: true });
  const markerFile = join(path, marker);
  const ours = existsSync(markerFile);
  if (!ours && readdirSync(path).length > 0)
    throw new Error(`${path} holds files that are not from an earlier run: name an empty folder with --state`);
  if (ours && !keep) for (const entry of readdirSync(path)) rmSync(join(path, entry), { recursive: true, force: true });
  const created = existsSync(markerFile) ? JSON.parse(readFileSync(markerFile, 'utf8')).created : {};
  const save = (made: Readonly<Record<string, Created>>) =>
    writeFileSync(markerFile, JSON.stringify({ created: made }, null, 2));
  save(created);
  return { path, created, save };
}
