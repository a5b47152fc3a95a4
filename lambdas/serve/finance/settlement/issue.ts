import { mayHideCardNumber } from '../../../base/runtime/card-number-search';

/** Why a file is held: where, what was got and what is allowed. */
export interface Issue {
  /** Place of the row in its file, the first one below the header is 1; absent where it is not about a row. */
  readonly row?: number;
  readonly field?: string;
  readonly problem: string;
  readonly got?: string;
  readonly allowed?: string;
}

const longestShown = 80;

/**
 * What of a value may be shown. A report is read by people and kept, so whatever could be a card number is not shown at
 * all, not even starred out: a report that shows nothing is a nuisance, one that shows a number is a breach.
 */
export function shown(value: string): string {
  if (mayHideCardNumber(value)) return '(not shown: holds digits like those of a card)';
  return value.length <= longestShown ? value : `${value.slice(0, longestShown)}...`;
}

/** The issues of a file: counted all, told as many as a person reads. */
export class Issues {
  static readonly most = 100;
  readonly told: Issue[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** `got` is shown as far as it may be. */
  add({ got, ...issue }: Issue): void {
    this.#count++;
    if (this.told.length < Issues.most) this.told.push(got === undefined ? issue : { ...issue, got: shown(got) });
  }
}
