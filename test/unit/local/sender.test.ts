import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Sender, type SenderOptions } from '../../../local/sender';

interface Request {
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  readonly sales: any[];
}
type Answer = readonly [status: number, body?: unknown] | 'no answer';

let folder: string;
let server: Server;
let url: string;
let requests: Request[];
/** What the API says to its n-th request, from 0. */
let answer: (request: Request, index: number) => Answer | Promise<Answer>;
/** Requests that wait for their answer. */
let under: { now: number; most: number };

const accepted = ({ sales }: Request): Answer => [
  202,
  { results: sales.map(() => ({ status: 'accepted', warnings: [] })) },
];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  requests = [];
  answer = accepted;
  under = { now: 0, most: 0 };
  server = createServer(async (incoming, response) => {
    under.most = Math.max(under.most, ++under.now);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { sales } = JSON.parse(body.toString());
    const request = { headers: incoming.headers as Record<string, string>, bytes: body.length, sales };
    const said = await answer(request, requests.push(request) - 1);
    under.now--;
    if (said === 'no answer') return void incoming.socket.destroy();
    const [status, content = ''] = said;
    response.writeHead(status).end(typeof content === 'string' ? content : JSON.stringify(content));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/sales`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  rmSync(folder, { recursive: true, force: true });
});

const open = (change: Partial<SenderOptions> = {}) =>
  new Sender({
    ingestUrl: url,
    keys: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' },
    batchSize: 10,
    concurrency: 1,
    ...change,
  });
function file(lines: readonly (string | object)[], name = 'sales.ndjson'): string {
  const path = join(folder, name);
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
  return path;
}
const events = (count: number, rest: object = {}) =>
  Array.from({ length: count }, (_, index) => ({ transactionId: `T-${index}`, ...rest }));
const idsOf = ({ sales }: Request): string[] => sales.map(({ transactionId }) => transactionId);

describe('batches', () => {
  test('hold as many events as are asked for, the last one what is left', async () => {
    const sender = open();

    await sender.sendFile(file(events(25)));

    expect(requests.map(({ sales }) => sales.length)).toEqual([10, 10, 5]);
    expect(requests.flatMap(idsOf)).toEqual(events(25).map(({ transactionId }) => transactionId));
    expect(sender.totals).toMatchObject({ received: 25, accepted: 25, rejected: 0, retried: 0, malformed: [] });
  });

  test('stay below 4 MB, also in characters of several bytes', async () => {
    const sender = open({ batchSize: 500 });

    await sender.sendFile(file(events(40, { note: 'é'.repeat(100_000) })));

    expect(requests.every(({ bytes }) => bytes < 4_000_000)).toBe(true);
    expect(requests.length).toBeLessThan(5);
    expect(sender.totals.accepted).toBe(40);
  });

  test('an event that is too long for any request goes alone', async () => {
    const long = { transactionId: 'long', note: 'x'.repeat(3_600_000) };

    await open().sendFile(file([...events(1), long, ...events(1)]));

    expect(requests.map(({ sales }) => sales.length)).toEqual([1, 1, 1]);
  });

  test('go out side by side, no more than are asked for', async () => {
    let second: () => void;
    const both = new Promise<void>((resolve) => {
      second = resolve;
    });
    answer = async (request, index) => {
      // The first is answered only when another has come beside it.
      if (index === 0) await both;
      if (index === 1) second();
      return accepted(request);
    };

    await open({ concurrency: 2 }).sendFile(file(events(100)));

    expect(requests).toHaveLength(10);
    expect(under.most).toBe(2);
  });

  test('an empty file is no request', async () => {
    await open().sendFile(file([]));

    expect(requests).toEqual([]);
  });
});

describe('files', () => {
  test('may be packed', async () => {
    await open().sendFile(file(events(3), 'sales.ndjson.gz'));

    expect(requests.map(({ sales }) => sales.length)).toEqual([3]);
  });

  test('may end their lines with carriage returns, have empty ones, and none at the end', async () => {
    const sender = open();

    await sender.sendFile(file(['{"transactionId":"A"}\r', '', '   ', '\r', '{"transactionId":"B"}']));

    expect(requests.flatMap(idsOf)).toEqual(['A', 'B']);
    expect(sender.totals).toMatchObject({ received: 2, malformed: [] });
  });

  test('a line that is no JSON is told by its number, and stops nothing', async () => {
    const sender = open();
    const path = file(['{"transactionId":"A"}', '{"transactionId":', '', 'sale', '{"transactionId":"B"}', '{}}']);

    await sender.sendFile(path);

    expect(sender.totals.malformed).toEqual([`${path}:2`, `${path}:4`, `${path}:6`]);
    expect(requests.flatMap(idsOf)).toEqual(['A', 'B']);
    expect(sender.totals.received).toBe(2);
  });

  test('any JSON is an event: the API says what is wrong with it', async () => {
    const sender = open();

    await sender.sendFile(file(['17', 'null', '[]', '"sale"', '{"tenders":{}}', '{"tenders":[null,{"card":4}]}']));

    expect(requests[0]!.sales).toHaveLength(6);
    expect(sender.totals.malformed).toEqual([]);
  });

  test('separators that JSON lets stand in a text do not end a line', async () => {
    const note = 'one\u2028two\u2029three\u0085four\u000bfive'.replace('\u000b', ' ');

    await open().sendFile(file([`{"transactionId":"A","note":"${note}"}`]));

    expect(requests[0]!.sales).toEqual([{ transactionId: 'A', note }]);
  });

  test('characters that lie across two pieces of a file stay whole', async () => {
    const notes = Array.from({ length: 200 }, (_, index) => ({ note: `${'x'.repeat(index)}é厨👩‍🍳`.repeat(20) }));

    await open({ batchSize: 500 }).sendFile(file(notes));

    expect(requests[0]!.sales).toEqual(notes);
  });

  test.each(['gone.ndjson', 'gone.ndjson.gz'])('%s, which is not there, is an error', async (name) => {
    await expect(open().sendFile(join(folder, name))).rejects.toThrow('ENOENT');
  });

  test('a packed file that is damaged is an error', async () => {
    const path = join(folder, 'damaged.gz');
    writeFileSync(path, gzipSync(JSON.stringify(events(1))).subarray(0, -10));

    await expect(open().sendFile(path)).rejects.toThrow(`${path}: unexpected end of file after line 0`);
  });

  test('one that cannot be read is an error that names it', async () => {
    await expect(open().sendFile(folder)).rejects.toThrow(`${folder}: EISDIR`);
  });

  test('may begin with the mark that some systems put there', async () => {
    await open().sendFile(file([`\ufeff${JSON.stringify(events(1)[0])}`, { transactionId: 'next' }]));

    expect(requests.flatMap(idsOf)).toEqual(['T-0', 'next']);
  });
});

test('requests are signed for the ingest API', async () => {
  await open().sendFile(file(events(1)));

  expect(requests[0]!.headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIATEST\/\d{8}\/eu-west-1\/execute-api\/aws4_request, SignedHeaders=[^,]*host/,
  );
  expect(requests[0]!.headers['content-type']).toBe('application/json');
});

describe('results', () => {
  test('are counted, with one example for each reason of rejection', async () => {
    const results = [
      { status: 'accepted', warnings: ['note was masked', 'field x was dropped'] },
      { status: 'rejected', code: 'invalid', message: 'lines[0].quantity: got 0', warnings: [] },
      { status: 'rejected', code: 'invalid', message: 'another', warnings: [] },
      { status: 'rejected', code: 'too-old', message: 'occurredAt: got 2010', warnings: [] },
      { status: 'rejected' },
    ];
    answer = () => [207, { results }];
    const sender = open();

    await sender.sendFile(file(events(5)));

    expect(sender.totals).toMatchObject({
      received: 5,
      accepted: 1,
      rejected: 4,
      warnings: 2,
      rejections: {
        invalid: { count: 2, example: 'lines[0].quantity: got 0' },
        'too-old': { count: 1, example: 'occurredAt: got 2010' },
        unknown: { count: 1, example: '' },
      },
    });
  });

  test('events that are to be sent again are, alone and in order, until they are settled', async () => {
    answer = ({ sales }, index) => [
      207,
      {
        results: sales.map((_, place) =>
          place % 2 === 1 && index < 2 ? { status: 'retry', code: 'stream-throttled' } : { status: 'accepted' },
        ),
      },
    ];
    const sender = open();

    await sender.sendFile(file(events(7)));

    expect(requests.map(idsOf)).toEqual([
      ['T-0', 'T-1', 'T-2', 'T-3', 'T-4', 'T-5', 'T-6'],
      ['T-1', 'T-3', 'T-5'],
      ['T-3'],
    ]);
    expect(sender.totals).toMatchObject({ accepted: 7, retried: 4 });
  });

  test('events without a result are sent again', async () => {
    answer = (request, index) => (index === 0 ? [202, { results: [{ status: 'accepted' }] }] : accepted(request));
    const sender = open();

    await sender.sendFile(file(events(3)));

    expect(requests.map(idsOf)).toEqual([
      ['T-0', 'T-1', 'T-2'],
      ['T-1', 'T-2'],
    ]);
    expect(sender.totals.accepted).toBe(3);
  });
});

describe('answers that say nothing of the events: all are sent again', () => {
  test.each<[string, Answer]>([
    ['none', 'no answer'],
    ['429 of the gateway', [429, { message: 'Too Many Requests' }]],
    ['429 without a body', [429]],
    ['503 of ours', [503, { code: 'vault-unavailable', message: 'send it again' }]],
    ['503 that is no JSON', [503, '<html>Service Unavailable</html>']],
    ['502 of a function that was killed', [502, { message: 'Internal server error' }]],
    ['504', [504, 'Endpoint request timed out']],
    ['200 that is no JSON', [200, 'OK']],
    ['202 without results', [202, {}]],
  ])('%s', async (_, first) => {
    answer = (request, index) => (index === 0 ? first : accepted(request));
    const sender = open();

    await sender.sendFile(file(events(3)));

    expect(requests.map(({ sales }) => sales.length)).toEqual([3, 3]);
    expect(sender.totals).toMatchObject({ received: 3, accepted: 3, retried: 3 });
  });

  test('one that never comes ends in an error that says what was seen', async () => {
    answer = () => [502, { message: 'Internal server error' }];
    const sender = open({ patience: 3 });

    await expect(sender.sendFile(file(events(3)))).rejects.toThrow(
      'the ingest API took nothing in 3 tries: HTTP 502: {"message":"Internal server error"}',
    );

    expect(requests).toHaveLength(3);
  });

  test('an API that is not there ends in an error too', async () => {
    const nowhere = open({ ingestUrl: 'http://127.0.0.1:1/v1/sales', patience: 2 });

    await expect(nowhere.sendFile(file(events(1)))).rejects.toThrow('took nothing in 2 tries: ');
  });

  test('as long as some events are taken, the others may wait', async () => {
    answer = ({ sales }) => [
      207,
      { results: sales.map((_, place) => ({ status: place === 0 ? 'accepted' : 'retry' })) },
    ];
    const sender = open({ patience: 2 });

    await sender.sendFile(file(events(5)));

    expect(sender.totals.accepted).toBe(5);
  });
});

describe('a request that is refused as a whole', () => {
  test.each([400, 401, 403, 404, 415])('ends with HTTP %d and what the API said', async (status) => {
    answer = () => [status, { code: 'no', message: 'sales: got 501 events, allowed: 1 to 500' }];

    await expect(open().sendFile(file(events(3)))).rejects.toThrow(
      `the ingest API refused a request: HTTP ${status}: {"code":"no","message":"sales: got 501 events`,
    );

    expect(requests).toHaveLength(1);
  });

  test('stops the file, and what is under way is waited for', async () => {
    answer = (request, index) => (index === 1 ? [403, 'no'] : accepted(request));
    const sender = open({ concurrency: 3 });

    await expect(sender.sendFile(file(events(10_000)))).rejects.toThrow('HTTP 403');

    expect(requests.length).toBeLessThan(100);
    expect(under.now).toBe(0);
    expect(sender.totals.accepted).toBe(10 * (requests.length - 1));
  });
});

describe('a request that is too large', () => {
  test('is sent in parts, and an event that is too large by itself is rejected', async () => {
    const most = 1_000;
    answer = (request) => (request.bytes > most ? [413, { message: `got ${request.bytes} bytes` }] : accepted(request));
    const long = { transactionId: 'long', note: 'x'.repeat(2 * most) };
    const sender = open();

    await sender.sendFile(file([...events(6), long, ...events(6)]));

    expect(sender.totals).toMatchObject({ received: 13, accepted: 12, rejected: 1, retried: 0 });
    expect(sender.totals.rejections['too-large']).toEqual({
      count: 1,
      example: expect.stringMatching(/^got 2\d\d\d bytes$/),
    });
    expect(requests.filter(({ bytes }) => bytes <= most).flatMap(idsOf)).toHaveLength(12);
  });
});

test('when it is told to stop, nothing new is sent', async () => {
  const stop = new AbortController();
  answer = (request, index) => {
    if (index === 2) stop.abort();
    return accepted(request);
  };

  await open({ signal: stop.signal }).sendFile(file(events(10_000)));

  expect(requests.length).toBeLessThan(6);
});

test('when it is told to stop, it does not go on trying', async () => {
  const stop = new AbortController();
  answer = () => {
    stop.abort();
    return [503];
  };

  await open({ signal: stop.signal }).sendFile(file(events(1)));

  expect(requests).toHaveLength(1);
});

describe('the card numbers that were sent are remembered', () => {
  const remembered = async (...lines: (string | object)[]) => {
    const sender = open();
    await sender.sendFile(file(lines));
    return [...sender.cardNumbers].sort();
  };
  const withCard = (number: unknown) => ({ tenders: [{ type: 'card', card: { number } }] });

  test('as digits, of every tender', async () => {
    const both = { tenders: [...withCard('4111 1111 1111 1111').tenders, ...withCard('3782-822463-10005').tenders] };

    expect(await remembered(both, withCard('4111111111111111'))).toEqual(['378282246310005', '4111111111111111']);
  });

  test('also where they have no business to be', async () => {
    expect(
      await remembered(
        { note: 'card was 5555 5555 5555 4444, sorry' },
        { pan: '6011111111111117' },
        { track: { number: 4_000_000_000_000_002 } },
      ),
    ).toEqual(['4000000000000002', '5555555555554444', '6011111111111117']);
  });

  test('also those that the API will refuse: they are kept nowhere either', async () => {
    expect(await remembered(withCard('4111111111111112'))).toEqual(['4111111111111112']);
  });

  test('and other numbers are not', async () => {
    expect(
      await remembered(
        withCard(''),
        withCard(undefined),
        withCard('12'),
        { transactionId: 'S042-T41-20261122-000917', occurredAt: '2026-11-22T10:15:30.123Z' },
        { note: '4111111111111112 and 41111111111111111111111111111111' },
        { gatewayReference: '8835000000000000' },
      ),
    ).toEqual([]);
  });
});
