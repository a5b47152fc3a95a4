import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import * as http2 from 'node:http2';
import { type AddressInfo, createServer as createSocketServer, type Socket } from 'node:net';

/** A server on the loopback interface. */
export interface LoopbackServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  close(): Promise<void>;
}

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Starts a server that only this machine can reach. It speaks HTTP/1.1, and HTTP/2 as some SDK clients do from the start. */
export async function listen(handle: Handle, port = 0): Promise<LoopbackServer> {
  const safely = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(() => request.socket.destroy());
  };
  const http1Server = createServer(safely);
  // Functions keep their connections for as long as they like: a server that ends idle ones would now and then meet a
  // request on its way.
  http1Server.keepAliveTimeout = 0;
  http1Server.requestTimeout = 0;
  const http2Server = http2.createServer((request, response) =>
    // Node's compatibility layer has all that the door uses.
    safely(request as unknown as IncomingMessage, response as unknown as ServerResponse),
  );
  http2Server.on('sessionError', () => {});

  const sockets = new Set<Socket>();
  const server = createSocketServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    // The first bytes tell the two apart: only the preface of HTTP/2 begins with these.
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      (first.toString('latin1', 0, 4) === 'PRI ' ? http2Server : http1Server).emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
      http1Server.close();
    },
  };
}
