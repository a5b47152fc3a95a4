import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new folder for a test, which others may search: for root, PostgreSQL runs as another user, and puts its data
 * elsewhere when it cannot get here.
 */
export function makeFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `tillstream-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}
