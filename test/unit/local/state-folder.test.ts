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
  const state = openStateFolder(folder, false);
  state.save(created);
  state.release();
  mkdirSync(join(folder, 'dynamodb'));
  writeFileSync(join(folder, 'dynamodb', 'journal'), 'items');
}

/** What a run leaves that is killed while it boots. */
function leaveHalf(): void {
  openStateFolder(folder, false).release();
  writeFileSync(join(folder, 'half'), 'a store');
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
  leaveHalf();

  openStateFolder(folder, false);

  expect(existsSync(join(folder, 'half'))).toBe(false);
});

test('even where it is to be kept: half of a store is none', () => {
  leaveHalf();

  openStateFolder(folder, true);

  expect(existsSync(join(folder, 'half'))).toBe(false);
});

test('a folder that was emptied in part by a run that died is no one else’s', () => {
  leave();
  openStateFolder(folder, false).release();
  writeFileSync(join(folder, 'not yet removed'), 'by a run that was killed while it emptied the folder');

  openStateFolder(folder, false);

  expect(existsSync(join(folder, 'not yet removed'))).toBe(false);
});

describe('two runs', () => {
  const inUse = 'is in use by another run (process ';
  const lock = (owner: object) => writeFileSync(join(folder, 'in-use.json'), JSON.stringify(owner));

  test('do not share a folder', () => {
    leave();
    openStateFolder(folder, true);

    for (const keep of [true, false]) expect(() => openStateFolder(folder, keep)).toThrow(`${inUse}${process.pid})`);

    expect(existsSync(join(folder, 'dynamodb', 'journal'))).toBe(true);
  });

  test('not even where they are different processes', () => {
    leave();
    // Our parent lives, and when it has started is not known.
    lock({ pid: process.ppid, started: '' });

    expect(() => openStateFolder(folder, false)).toThrow(`${inUse}${process.ppid})`);
  });

  test('have it one after the other', () => {
    openStateFolder(folder, false).release();

    expect(() => openStateFolder(folder, false)).not.toThrow();
  });

  test.each([
    ['a process that is gone', { pid: 2 ** 22 + 1, started: '1' }],
    ['our own process, when its id was that of another', { pid: process.pid, started: '1' }],
    ['a process that has the id of the one that was killed', { pid: process.ppid, started: 'long ago' }],
  ])('what was killed as %s is in nobody’s way', (_, owner) => {
    leave();
    lock(owner);

    expect(() => openStateFolder(folder, false)).not.toThrow();
  });

  test('nor is half a lock', () => {
    leave();
    writeFileSync(join(folder, 'in-use.json'), '{"pid":');

    expect(() => openStateFolder(folder, false)).not.toThrow();
  });
});

test('a file is no folder', () => {
  const file = join(folder, 'state');
  writeFileSync(file, '');

  expect(() => openStateFolder(file, false)).toThrow(`${file} is a file: name a folder`);
});

test.each([true, false])('a folder with files of anyone else is refused and left alone, keep %p', (keep) => {
  writeFileSync(join(folder, 'thesis.tex'), 'years of work');

  expect(() => openStateFolder(folder, keep)).toThrow(`${folder} holds files that are not from an earlier run`);

  expect(readdirSync(folder)).toEqual(['thesis.tex']);
});
