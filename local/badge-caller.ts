import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { ReceiptedAnswer } from '../lambdas/serve/badges/receipt/receipts';
import type { Endpoints } from './endpoints';

/** Asks for badges as a product page does: signed, over HTTP. */
export class BadgeCaller {
  readonly #signer: SignatureV4;

  constructor(private readonly endpoints: Pick<Endpoints, 'badgesUrl' | 'aws'>) {
    const { region, accessKeyId, secretAccessKey } = endpoints.aws;
    const credentials = { accessKeyId, secretAccessKey };
    this.#signer = new SignatureV4({ service: 'execute-api', region, sha256: Sha256, credentials });
  }

  /** Throws where there is no answer. */
  async ask(skus: readonly string[], fcs: readonly string[]): Promise<readonly ReceiptedAnswer[]> {
    const url = new URL(this.endpoints.badgesUrl);
    const { headers } = await this.#signer.sign({
      method: 'GET',
      protocol: 'http:',
      hostname: url.hostname,
      port: Number(url.port),
      path: url.pathname,
      query: { sku: [...skus], fc: [...fcs] },
      headers: { host: url.host },
    });
    for (const sku of skus) url.searchParams.append('sku', sku);
    for (const fc of fcs) url.searchParams.append('fc', fc);
    const answer = await fetch(url, { headers });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${answer.status}: ${text}`);
    return JSON.parse(text).answers;
  }
}
