import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as clients from '../../../lambdas/base/runtime/clients';

const makers = Object.values(clients);

test.each(makers)(
  'a service that does not answer is an error, not a function that hangs: %p',
  async (make) => {
    process.env.AWS_REGION ??= 'eu-west-1';
    const server = createServer(() => {});
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const client = make();

    const call = (client.config.requestHandler as any).handle(
      { protocol: 'http:', hostname: '127.0.0.1', port, method: 'POST', path: '/', headers: {}, query: {} },
      { requestTimeout: 20 },
    );

    await expect(call).rejects.toMatchObject({ name: 'TimeoutError' });
    server.closeAllConnections();
    server.close();
  },
  5_000,
);
