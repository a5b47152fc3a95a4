import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** What a deployment step reports to CloudFormation. */
export interface Outcome {
  readonly Status: 'SUCCESS' | 'FAILED';
  readonly Reason?: string;
  readonly PhysicalResourceId: string;
  readonly Data?: Record<string, string>;
}

/** Stands in for the signed addresses that CloudFormation gives to deployment steps. */
export class DeploymentOutcomes {
  readonly #expected = new Map<string, (outcome: Outcome) => void>();

  private constructor(private readonly server: Server) {}

  static async open(): Promise<DeploymentOutcomes> {
    const server = createServer(async (request, response) => {
      // A step that is killed while it reports leaves half an outcome: none.
      const outcome = await json(request).catch(() => undefined);
      const received = outcomes.#expected.get(request.url ?? '');
      const taken = received !== undefined && outcome !== undefined;
      response.writeHead(taken ? 200 : 404).end();
      if (taken) received(outcome as Outcome);
    });
    const outcomes = new DeploymentOutcomes(server);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return outcomes;
  }

  /** A new address, and what will be put there. */
  expect(): { readonly url: string; readonly received: Promise<Outcome> } {
    const path = `/${randomUUID()}`;
    const received = new Promise<Outcome>((resolve) => this.#expected.set(path, resolve));
    return { url: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`, received };
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
