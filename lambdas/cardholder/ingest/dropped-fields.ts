import { securityFieldsIn } from '../security-data';
import { shownText } from './wording';

// An event can have thousands of unknown fields; a sender needs the first few names to find the cause.
const mostWarnings = 20;

/** Collects what of one event is not taken over, by name only: what stood in such a field is never kept nor shown. */
export class DroppedFields {
  /** How many fields held a security code, track data or the like. */
  securityFields = 0;
  readonly #warnings = new Set<string>();

  /** Copies the known fields, in the given order, and notes all others. `path` says whose fields they are. */
  keep<T extends object, K extends keyof T & string>(path: string, from: T, fields: readonly K[]): Pick<T, K> {
    const kept = {} as Pick<T, K>;
    let count = 0;
    for (const field of fields) {
      const value = from[field];
      if (value === undefined) continue;
      kept[field] = value;
      count++;
    }
    if (Object.keys(from).length > count) this.#drop(path, from, fields);
    return kept;
  }

  warnings(): string[] {
    return [...this.#warnings];
  }

  #drop(path: string, from: object, known: readonly string[]): void {
    for (const [name, value] of Object.entries(from)) {
      if (known.includes(name)) continue;
      const secret = securityFieldsIn(name, value);
      this.securityFields += secret.length;
      for (const field of secret) this.#warn(`${path}${shownText(field)}: security code or track data, removed`);
      if (secret.length === 0) this.#warn(`${path}${shownText(name)}: unknown field, dropped`);
    }
  }

  #warn(warning: string): void {
    if (this.#warnings.size < mostWarnings) this.#warnings.add(warning);
  }
}
