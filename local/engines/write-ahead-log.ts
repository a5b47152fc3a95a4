import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * What an engine has taken but holds in memory only, on disk: the operating system keeps it when this process is killed.
 * Entries are lines of JSON, in files by generation, so that older ones can go while newer ones come.
 */
export class WriteAheadLog {
  #generation: number;
  #open: number | undefined;

  /** `file` is the beginning of the files' names. */
  constructor(private readonly file: string) {
    this.#generation = 1 + Math.max(0, ...this.#generations());
  }

  /** Everything that is there, in order. An entry that was cut off by the end of its process was never taken. */
  entries<Entry = string>(): Entry[] {
    return this.#generations().flatMap((generation) =>
      readFileSync(this.#name(generation), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Entry),
    );
  }

  append(entry: string): void {
    this.appendJson(JSON.stringify(entry));
  }

  /** The same of an entry that is JSON already, on one line. */
  appendJson(json: string): void {
    this.#open ??= openSync(this.#name(this.#generation), 'a', 0o600);
    try {
      writeFileSync(this.#open, `${json}\n`);
    } catch (error) {
      // What was written of it must not be the beginning of another.
      this.cut();
      throw error;
    }
  }

  /** Begins a new generation. The answer forgets all before it: for when the engine has them safe elsewhere. */
  cut(): () => void {
    const before = this.#generation;
    this.#generation += 1;
    this.#close();
    return () => {
      for (const generation of this.#generations())
        if (generation <= before) rmSync(this.#name(generation), { force: true });
    };
  }

  close(): void {
    this.#close();
  }

  #close(): void {
    if (this.#open !== undefined) closeSync(this.#open);
    this.#open = undefined;
  }

  #generations(): number[] {
    const folder = dirname(this.file);
    if (!existsSync(folder)) return [];
    const prefix = `${basename(this.file)}.`;
    return readdirSync(folder)
      .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((one, other) => one - other);
  }

  #name(generation: number): string {
    return join(dirname(this.file), `${basename(this.file)}.${generation}`);
  }
}
