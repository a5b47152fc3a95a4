import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AccessKeys } from './door/door';
import type { Endpoints } from './endpoints';

/** Calls the APIs as a retailer's own programs do: signed, over HTTP. */
export class SignedCaller {
  readonly #signer: SignatureV4;

  constructor({ region, ...credentials }: Pick<Endpoints['aws'], 'region'> & AccessKeys) {
    this.#signer = new SignatureV4({ service: 'execute-api', region, sha256: Sha256, credentials });
  }

  get(address: string, query: Readonly<Record<string, readonly string[]>>): Promise<any> {
    return parsed(this.send(address, 'GET', query));
  }

  post(address: string, body: object): Promise<any> {
    return parsed(this.send(address, 'POST', {}, JSON.stringify(body)));
  }

  /** Whatever is answered. */
  async send(
    address: string,
    method: string,
    query: Readonly<Record<string, readonly string[]>>,
    body?: string,
  ): Promise<Response> {
    const url = new URL(address);
    const { headers } = await this.#signer.sign({
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      port: Number(url.port),
      path: url.pathname,
      query: Object.fromEntries(Object.entries(query).map(([name, values]) => [name, [...values]])),
      headers: { host: url.host, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body }),
    });
    for (const [name, values] of Object.entries(query))
      for (const value of values) url.searchParams.append(name, value);
    return fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  }
}

/** What is answered, parsed. Throws where that is no success. */
async function parsed(answering: Promise<Response>): Promise<any> {
  const answer = await answering;
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status}: ${text}`);
  return JSON.parse(text);
}
