import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AwsError, type Engine } from '../../local/engines/engine';

/** Where a contract suite sends its calls, as options for any client of the AWS SDK. */
export interface Endpoint {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  close(): Promise<void>;
}

/**
 * The endpoint under test: CONTRACT_ENDPOINT (with AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) when it is
 * set, so that the same suite can be run against any implementation, else the given local engine.
 */
export async function startEndpoint(engine: () => Promise<Engine>): Promise<Endpoint> {
  const external = process.env.CONTRACT_ENDPOINT;
  if (external !== undefined) {
    const { AWS_REGION = 'eu-west-1', AWS_ACCESS_KEY_ID = 'test', AWS_SECRET_ACCESS_KEY = 'test' } = process.env;
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
    return { endpoint: external, region: AWS_REGION, credentials, close: async () => {} };
  }
  const local = await engine();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const operation = String(request.headers['x-amz-target']).split('.').pop()!;
    try {
      const output = await local.call(operation, JSON.parse(Buffer.concat(chunks).toString() || '{}'));
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(output ?? {}));
    } catch (error) {
      const { code, message, statusCode, fields } =
        error instanceof AwsError ? error : new AwsError('InternalFailure', String((error as Error).stack), 500);
      response
        .writeHead(statusCode, { 'content-type': 'application/x-amz-json-1.1' })
        .end(JSON.stringify({ __type: code, message, ...fields }));
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      await local.close();
    },
  };
}
