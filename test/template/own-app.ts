import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import { EncryptionKey } from '../../lib/base/encryption-key';
import type { Stage } from '../../lib/stages';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An app for the stacks that a test makes itself, in a folder that goes after the last test of the file. */
export function ownApp(): App {
  const outdir = mkdtempSync(join(tmpdir(), 'tillstream-synth-'));
  folders.push(outdir);
  return new App({ outdir, analyticsReporting: false, treeMetadata: false, builtinCloudFormationValidation: false });
}

/** A stack with a key, for what the tested stack is handed by others. */
export function stackBefore(app: App, stage: Stage) {
  const before = new Stack(app, 'Before', { env: { region: stage.region } });
  const { key } = new EncryptionKey(before, 'Key', { stage, description: 'before' });
  return { before, key };
}

/** How many resources of each type a stack has. */
export function typesIn(template: Template): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { Type } of Object.values<any>(template.toJSON().Resources)) counts[Type] = (counts[Type] ?? 0) + 1;
  return counts;
}
