import { inspect } from 'node:util';
import { brandOfCardNumber } from '../base/runtime/card-digits';

/**
 * A card number: the one thing that must not leave this room. It is an object and not a string, so that it cannot slip
 * into a log line, an error or a stored event: whoever prints or serializes it gets a placeholder.
 */
export class CardNumber {
  readonly #digits: string;

  private constructor(
    digits: string,
    readonly brand: string,
  ) {
    this.#digits = digits;
  }

  /** Reads a card number, plain or grouped by spaces or dashes; undefined when it is none. */
  static read(text: string): CardNumber | undefined {
    const digits = text.replace(/[ -]/g, '');
    const brand = brandOfCardNumber(digits);
    return brand === undefined ? undefined : new CardNumber(digits, brand);
  }

  /** The digits themselves: for the index and the seal, nothing else. */
  reveal(): string {
    return this.#digits;
  }

  /** Six digits, which PCI DSS lets every brand keep beside the last four, at any length of number. */
  get bin(): string {
    return this.#digits.slice(0, 6);
  }

  get last4(): string {
    return this.#digits.slice(-4);
  }

  toString(): string {
    return '[card number]';
  }

  toJSON(): string {
    return '[card number]';
  }

  [inspect.custom](): string {
    return '[card number]';
  }
}
