import type { Cost } from './account';

/** CPU per unit of work: the median of the repetitions, each of so many units. A mean would tell of the machine's other work. */
export function cpuPerUnit(costs: readonly Cost[], units: number): number {
  return median(costs.map(({ cpuMicros }) => cpuMicros)) / units;
}

/** Calls in all repetitions: of all services, or of those whose name starts so. */
export function callsOf(costs: readonly Cost[], prefix = ''): number {
  return sum(
    costs.flatMap(({ calls }) => Object.keys(calls).map((name) => (name.startsWith(prefix) ? calls[name]! : 0))),
  );
}

export function writeUnitsOf(costs: readonly Cost[]): number {
  return sum(costs.map(({ writeUnits }) => writeUnits));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The contenders in an order that changes with each repetition, so that none always runs after the same other. */
export function inTurn<T>(contenders: readonly T[], repetition: number): readonly T[] {
  return contenders.map((_, place) => contenders[(place + repetition) % contenders.length]!);
}

type Row = readonly [name: string, ...values: number[]];

/** Prints ours, which comes first, the others, and how many times ours each of them is. */
export function compare(title: string, columns: readonly string[], [ours, ...others]: readonly Row[]): void {
  const ratios = others.map(([name, ...values]) => [
    `${name} / ${ours![0]}`,
    ...values.map((value, column) => ratio(value, ours![column + 1] as number)),
  ]);
  table(title, columns, [...[ours!, ...others].map(([name, ...values]) => [name, ...values.map(shown)]), ...ratios]);
}

/** Prints rows of a name and values under their columns. */
export function table(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [['', ...columns], ...rows];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('   ');
  console.log(`${title}\n${cells.map((row) => `  ${line(row)}\n`).join('')}`);
}

/** Three digits that mean something. */
export function shown(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return value.toLocaleString('en', value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });
}

function ratio(theirs: number, ours: number): string {
  return ours === 0 ? '-' : `${shown(theirs / ours)}x`;
}

/** One line that moves on a terminal; nothing elsewhere. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`);
}
