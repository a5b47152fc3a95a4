import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { openStateFolder } from '../../../local/state-folder';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const created = { 'Stack/Table': { ref: 'table', attributes: { Arn: 'arn:table' } } };
/** What a run leaves. */
function leave(): void {
  openStateFolder(folder, false).save(created);
  mkdirSync(join(folder, 'dynamodb'));
  writeFileSync(join(folder, 'dynamodb', 'journal'), 'items');
}

test('a folder that is not there is made, and begins empty', () => {
  const state = openStateFolder(join(folder, 'a', 'b'), false);

  expect([existsSync(state.path), state.created]).toEqual([true, {}]);
});

test('its path is absolute, so that it outlives a change of directory', () => {
  expect(openStateFolder(relative(process.cwd(), folder), false).path).toBe(folder);
});

test('what an earlier run left is cleared', () => {
  leave();

  const state = openStateFolder(folder, false);

  expect(state.created).toEqual({});
  expect(existsSync(join(folder, 'dynamodb'))).toBe(false);
});

test('unless it is to be kept', () => {
  leave();

  const state = openStateFolder(folder, true);

  expect(state.created).toEqual(created);
  expect(existsSync(join(folder, 'dynamodb', 'journal'))).toBe(true);
});

test('keeping what was never made is a fresh start', () => {
  expect(openStateFolder(folder, true).created).toEqual({});
});

test('a run that died before it had made everything is cleared by the next', () => {
  openStateFolder(folder, false);
  writeFileSync(join(folder, 'half'), 'a store');

  openStateFolder(folder, false);

  expect(existsSync(join(folder, 'half'))).toBe(false);
});

test.each([true, false])('a folder with files of anyone else is refused and left alone, keep %p', (keep) => {
  writeFileSync(join(folder, 'thesis.tex'), 'years of work');

  expect(() => openStateFolder(folder, keep)).toThrow(`${folder} holds files that are not from an earlier run`);

  expect(readdirSync(folder)).toEqual(['thesis.tex']);
});
