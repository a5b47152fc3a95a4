import { setTimeout as delay } from 'node:timers/promises';
import type { ReceiptedAnswer } from '../../lambdas/serve/badges/receipt/receipts';
import { BadgeCaller } from '../../local/badge-caller';

/** A caller that can wait. */
export class PatientBadgeCaller extends BadgeCaller {
  /** Asks for one SKU again and again, until the answer has this reason. */
  async until(reason: string, sku: string, fc: string, patienceMs = 20_000): Promise<ReceiptedAnswer> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const [answer] = await this.ask([sku], [fc]);
      if (answer!.reason === reason) return answer!;
      if (Date.now() > deadline) throw new Error(`waited for ${reason} in vain: ${JSON.stringify(answer)}`);
      await delay(50);
    }
  }
}
