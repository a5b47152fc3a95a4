import { stockLines } from '../../../local/stock-summary';
import { LiveSummary } from '../../../local/summary';

/** A terminal that knows what the summary asks of one. */
class Terminal {
  readonly isTTY = true;
  readonly #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(
    public columns: number,
    readonly rows: number,
  ) {}

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    for (const [piece, count, command] of text.matchAll(/\u001b\[(\d*)([A-Z])|./gsu))
      if (command !== undefined) this.#obey(command, count === '' ? 0 : Number(count));
      else if (piece === '\r') this.#column = 0;
      else if (piece === '\n') this.#goDown();
      else this.#put(piece);
  }

  /** All that was ever written, what has gone off the top included. */
  get text(): string[] {
    return this.#lines.map((line) => line.trimEnd());
  }

  #obey(command: string, count: number): void {
    if (command === 'A') this.#row = Math.max(this.#lines.length - this.rows, this.#row - count, 0);
    else if (command === 'K') this.#lines[this.#row] = '';
    else if (command === 'J') {
      this.#lines[this.#row] = this.#lines[this.#row]!.slice(0, this.#column);
      this.#lines.length = this.#row + 1;
    } else throw new Error(`the terminal does not know ${command}`);
  }

  #goDown(): void {
    this.#column = 0;
    this.#row += 1;
    if (this.#row === this.#lines.length) this.#lines.push('');
  }

  #put(character: string): void {
    if (this.#column === this.columns) this.#goDown();
    const line = this.#lines[this.#row]!.padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column += 1;
  }
}

test('is redrawn in place, whether it grows or shrinks', () => {
  const terminal = new Terminal(40, 10);
  const summary = new LiveSummary(terminal);
  terminal.write('up in 2 s\n');

  summary.draw(['ingest 1', 'alarms none']);
  summary.draw(['ingest 20', 'alarms Lag, Held', 'problem one', 'problem two']);
  summary.draw(['ingest 300', 'alarms none']);

  expect(terminal.text).toEqual(['up in 2 s', 'ingest 300', 'alarms none', '']);
});

test('a line that is wider than the terminal is cut, so that it takes one line', () => {
  const terminal = new Terminal(10, 10);
  const summary = new LiveSummary(terminal);

  for (const number of [1, 2, 3]) summary.draw([`a line of more than ten ${number}`, `line ${number}`]);

  expect(terminal.text).toEqual(['a line of', 'line 3', '']);
});

test('is cut to the height of the terminal', () => {
  const terminal = new Terminal(40, 3);
  const summary = new LiveSummary(terminal);

  for (const number of [1, 2]) summary.draw([1, 2, 3, 4].map((line) => `line ${line} of draw ${number}`));

  expect(terminal.text).toEqual(['line 1 of draw 2', 'line 2 of draw 2', '']);
});

test('a message stands above it', () => {
  const terminal = new Terminal(40, 10);
  const summary = new LiveSummary(terminal);

  summary.draw(['ingest 1', 'alarms none']);
  summary.print('something happened');
  summary.draw(['ingest 2', 'alarms none']);
  summary.draw(['ingest 3', 'alarms none']);

  expect(terminal.text).toEqual(['something happened', 'ingest 3', 'alarms none', '']);
});

test('what an error says cannot move the cursor', () => {
  const terminal = new Terminal(60, 10);
  const summary = new LiveSummary(terminal);

  for (const number of [1, 2]) summary.draw([`problem ${number}\n\u001b[5A\tin two\r\nlines`, 'end']);

  expect(terminal.text).toEqual(['problem 2 [5A in two lines', 'end', '']);
});

test('elsewhere than on a terminal it is plain lines', () => {
  let text = '';
  const summary = new LiveSummary({ write: (piece) => (text += piece) });

  summary.draw(['one', 'two']);
  summary.print('message');
  summary.draw(['three']);

  expect(text).toBe('one\ntwo\nmessage\nthree\n');
});

test('stock and its triggers are two lines', () => {
  const trigger = { sku: 'A', location: 'store-1', kind: 'stock-out', available: 0 } as any;
  const triggers = { published: { 'reorder-point-reached': 7, 'stock-out': 3, 'back-in-stock': 2 }, repeated: 1 };

  expect(stockLines({ positions: 9, low: 4, out: 1, triggers: { ...triggers, waiting: 0 }, last: [] })).toEqual([
    'stock         9 positions, 4 low, 1 out; triggers: 7 reorder-point-reached, 3 stock-out, 2 back-in-stock',
    '  triggered   nothing yet',
  ]);
  expect(stockLines({ positions: 9, low: 4, out: 1, triggers: { ...triggers, waiting: 5 }, last: [trigger] })).toEqual([
    'stock         9 positions, 4 low, 1 out; triggers: 7 reorder-point-reached, 3 stock-out, 2 back-in-stock, 5 waiting',
    '  triggered   A at store-1 stock-out, 0 left',
  ]);
});
