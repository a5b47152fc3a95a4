import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cardNumbersIn, filesBelow, plantedControls, scanContents } from '../../../local/card-number-scan';

const cards = {
  sixteen: '4111111111111111',
  fifteen: '378282246310005',
  thirteen: '4222222222222',
  nineteen: '6304000000000000000',
} as const;
const known: ReadonlySet<string> = new Set(Object.values(cards));
const grouped = (number: string, separator: string) => number.replace(/(.{4})(?=.)/g, `$1${separator}`);
const formsIn = (text: string) => cardNumbersIn(text, known);

async function* pieces(...texts: string[]) {
  for (const [index, text] of texts.entries()) yield { where: `piece ${index}`, text };
}

describe.each(Object.entries(cards))('a number of %s digits is found', (_, number) => {
  test.each([
    ['plain', number],
    ['with spaces', grouped(number, ' ')],
    ['with dashes', grouped(number, '-')],
    ['with dots', grouped(number, '.')],
    ['with a space after every digit', [...number].join(' ')],
    ['grouped as printed on some cards', number.replace(/^(.{4})(.{6})/, '$1 $2 ')],
  ])('%s', (_form, text) => {
    expect(formsIn(text)).toEqual(['digits']);
    expect(formsIn(`{"note":"paid with ${text}, thanks"}`)).toEqual(['digits']);
  });

  test('in hex, of capital or small letters, at any place in what was encoded', () => {
    for (const text of [number, `a${number}`, `{"pan":"${number}"}`, `c${grouped(number, ' ')}z`, `\n${number}\n`]) {
      const hex = Buffer.from(text).toString('hex');
      expect([text.length, formsIn(hex)]).toEqual([text.length, ['hex']]);
      expect(formsIn(`x0${hex.toUpperCase()}0x`)).toContain('hex');
    }
  });

  test('in base64, at every offset in what was encoded, and wherever its text begins', () => {
    for (let before = 0; before <= 9; before++)
      for (const text of [number, grouped(number, '-')])
        for (const encoding of ['base64', 'base64url'] as const) {
          const encoded = Buffer.from(`${'?'.repeat(before)}${text}${'?'.repeat(before % 4)}`).toString(encoding);
          for (const context of ['', '"', 'a', '/b', 'abc', '....'])
            expect([before, context, formsIn(context + encoded)]).toEqual([before, context, ['base64']]);
        }
  });

  test('within other digits, at every offset', () => {
    for (let before = 0; before <= 40; before++)
      expect([before, formsIn(`${'7'.repeat(before)}${number}${'7'.repeat(40 - before)}`)]).toEqual([
        before,
        ['digits'],
      ]);
  });
});

test('every form that is planted as a control is found', () => {
  const found = plantedControls(cards.sixteen).map((text) => formsIn(`before ${text} after`));

  expect(found.map(([form]) => form)).toEqual(['digits', 'digits', 'digits', 'hex', 'base64', 'base64', 'base64']);
});

test('each form is told once a piece, with where it was, and never with the number', async () => {
  const text = plantedControls(cards.fifteen).join('\n');

  const findings = await scanContents(pieces('clean', text, text), known);

  expect(findings.map(({ where, form }) => `${where} ${form}`)).toEqual([
    'piece 1 digits',
    'piece 1 hex',
    'piece 1 base64',
    'piece 2 digits',
    'piece 2 hex',
    'piece 2 base64',
  ]);
  expect(JSON.stringify(findings)).not.toMatch(/\d{4}/);
});

describe('what is no card number that was sent is not found', () => {
  test.each([
    ['another card number', '5555555555554444'],
    ['a number that differs in its last digit', '4111111111111112'],
    ['one that is cut', cards.sixteen.slice(1)],
    ['one that is masked', '411111******1111'],
    ['its first six and last four', '411111 1111'],
    ['digits that other text parts', `${cards.sixteen.slice(0, 8)},${cards.sixteen.slice(8)}`],
    ['digits that two spaces part', grouped(cards.sixteen, '  ')],
    ['a sequence number', '49590338271490256608559692538361571095921575989136588898'],
    ['a time in nanoseconds', '1763806530000000000'],
    ['a time', '2026-11-22T10:15:30.123Z 2026-11-22 10:15:30'],
    ['many zeros', '0'.repeat(1_000)],
    ['a digest', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['a token', 'tok_abcdefghijklmnopqrstuvwxyz234567'],
    ['nothing', ''],
  ])('%s', (_, text) => {
    expect(formsIn(text)).toEqual([]);
    expect(formsIn(Buffer.from(text).toString('base64'))).toEqual([]);
    expect(formsIn(Buffer.from(text).toString('hex'))).toEqual([]);
  });

  test('nothing is known, nothing is found', () => {
    expect(cardNumbersIn(plantedControls(cards.sixteen).join(' '), new Set())).toEqual([]);
  });
});

// Without a limit on time: anything but a linear scan would not end.
test('megabytes of digits are scanned for thousands of cards', () => {
  const many = new Set(Array.from({ length: 5_000 }, (_, index) => String(4_000_000_000_000_000 + index * 7_919)));
  const last = [...many].at(-1)!;
  const haystacks = [
    '0'.repeat(10_000_000),
    '40000'.repeat(1_000_000),
    '1 2-3.'.repeat(800_000),
    'QUJD'.repeat(2_500_000),
    ' '.repeat(10_000_000),
    'F'.repeat(10_000_000),
  ];

  expect(haystacks.map((text) => cardNumbersIn(text, many))).toEqual(haystacks.map(() => []));
  expect(haystacks.map((text) => cardNumbersIn(`${text}|${last}`, many))).toEqual(haystacks.map(() => ['digits']));
});

describe('files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, content: string | Buffer) => {
    const file = join(folder, name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, content);
    return file;
  };
  const scan = () => scanContents(filesBelow(folder), known);

  test('at any depth are read, whatever they are called', async () => {
    const places = ['.hidden', 'a/b/c.log', 'no extension', 'a/ünïcode'].map((name) => write(name, cards.sixteen));
    write('empty', '');

    expect((await scan()).map(({ where }) => where).sort()).toEqual(places.sort());
  });

  test('are read as bytes: a number among binary is found', async () => {
    const noise = Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 89) % 256));
    write('binary', Buffer.concat([noise, Buffer.from(`\u0000${cards.sixteen}\u00ff`, 'latin1'), noise]));

    expect((await scan()).map(({ form }) => form)).toEqual(['digits']);
  });

  const pieceBytes = 1 << 20;
  test.each(plantedControls(cards.sixteen).map((text, index) => [index, text] as const))(
    'a number that lies across two pieces is found, form %d',
    async (_, text) => {
      for (const before of [1, Math.floor(text.length / 2), text.length - 1]) {
        const filler = ' '.repeat(pieceBytes - before);
        write('long', `${filler}${text} `);

        expect([before, (await scan()).length > 0]).toEqual([before, true]);
      }
    },
  );

  test('an encoded text that is longer than a piece is no hiding place', async () => {
    const padding = '{"some":"more text"}'.repeat(60_000);
    const encoded = Buffer.from(`${padding}${grouped(cards.sixteen, ' ')}${padding}`).toString('base64');
    write('long', encoded);

    expect((await scan()).map(({ form }) => form)).toContain('base64');
  });
});
