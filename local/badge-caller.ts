import type { ReceiptedAnswer } from '../lambdas/serve/badges/receipt/receipts';
import type { Endpoints } from './endpoints';
import { SignedCaller } from './signed-caller';

/** Asks for badges as a product page does. */
export class BadgeCaller {
  readonly #caller: SignedCaller;

  constructor(private readonly endpoints: Pick<Endpoints, 'badgesUrl' | 'aws'>) {
    this.#caller = new SignedCaller(endpoints.aws);
  }

  /** Throws where there is no answer. */
  async ask(skus: readonly string[], fcs: readonly string[]): Promise<readonly ReceiptedAnswer[]> {
    return (await this.#caller.get(this.endpoints.badgesUrl, { sku: skus, fc: fcs })).answers;
  }
}
