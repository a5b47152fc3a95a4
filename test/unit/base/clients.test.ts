import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { QueryCommand } from '@aws-sdk/client-timestream-query';
import * as clients from '../../../lambdas/base/runtime/clients';

/** A server on its own port, of which the environment's clients take what it answers. */
async function withServer(listener: RequestListener, use: (port: number) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a query that takes too long is given up, not run and paid again', async () => {
  const calls: string[] = [];
  const before = { ...process.env };
  await withServer(
    (request, response) => {
      const operation = String(request.headers['x-amz-target']).split('.').pop()!;
      calls.push(operation);
      if (operation === 'DescribeEndpoints')
        response.end(JSON.stringify({ Endpoints: [{ Address: '127.0.0.1', CachePeriodInMinutes: 1_440 }] }));
    },
    async (port) => {
      Object.assign(process.env, {
        AWS_REGION: 'eu-west-1',
        AWS_ACCESS_KEY_ID: 'x',
        AWS_SECRET_ACCESS_KEY: 'x',
        AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      });
      const client = clients.timestreamQueryClient(50);

      await expect(client.send(new QueryCommand({ QueryString: 'SELECT 1' }))).rejects.toMatchObject({
        name: 'QueryTimeout',
      });
    },
  );
  process.env = before;
  expect(calls).toEqual(['DescribeEndpoints', 'Query']);
});

const makers = Object.values(clients);

test.each(makers)(
  'a service that does not answer is an error, not a function that hangs: %p',
  async (make) => {
    process.env.AWS_REGION ??= 'eu-west-1';
    const client = make();
    await withServer(
      () => {},
      async (port) => {
        const call = (client.config.requestHandler as any).handle(
          { protocol: 'http:', hostname: '127.0.0.1', port, method: 'POST', path: '/', headers: {}, query: {} },
          { requestTimeout: 20 },
        );

        await expect(call).rejects.toMatchObject({ name: 'TimeoutError' });
      },
    );
  },
  5_000,
);
