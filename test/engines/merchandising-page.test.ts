import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { markRecordText } from '../../lambdas/base/domain/completeness-mark';
import { kinesisEvent } from '../engine-rig';
import { aSale } from '../engine-rig/sales';
import { type MerchandisingRig, startMerchandising } from './merchandising-rig';

const builtPage = 'build/lambdas/serve/merchandising/influxdb/query/dashboard.html';

/** The browser of whoever has one on the PATH; elsewhere nothing says that the page runs. */
const browser = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** What the built page shows, and what it says to the console, before an API that answers so. */
async function opened(
  answer: (question: string, query: URLSearchParams) => Promise<{ status: number; body: unknown }>,
) {
  const [, policy = '', html = ''] = /^<!-- (.*) -->\n([\s\S]*)$/.exec(readFileSync(builtPage, 'utf8')) ?? [];
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    const question = pathname.slice(1);
    if (question === 'dashboard')
      response
        .writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy })
        .end(html);
    else {
      const { status, body } = await answer(question, searchParams);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-browser-'));
  try {
    const { stdout, stderr } = await promisify(execFile)(
      browser!,
      [
        ...[
          '--headless',
          '--lang=en-US',
          '--no-sandbox',
          '--disable-gpu',
          `--user-data-dir=${folder}`,
          '--enable-logging=stderr',
        ],
        // Its own clock, which stands still while answers are awaited.
        ...['--virtual-time-budget=4000', '--dump-dom'],
        `http://127.0.0.1:${(server.address() as AddressInfo).port}/dashboard`,
      ],
      { timeout: 45_000, maxBuffer: 16_000_000 },
    );
    const text = (id: string) =>
      new RegExp(`<(\\w+)[^>]* id="${id}"[^>]*>([\\s\\S]*?)</\\1>`).exec(stdout)?.[2]?.replace(/<[^>]*>/g, ' ') ?? '';
    return { text, console: stderr.split('\n').filter((line) => line.includes('CONSOLE')) };
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

(browser === undefined ? describe.skip : describe)('the page, in a browser', () => {
  let merchandising: MerchandisingRig;
  beforeAll(async () => {
    merchandising = await startMerchandising();
  });
  afterAll(() => merchandising.close());

  test('shows the figures of the API, and up to when they are complete', async () => {
    const now = new Date().toISOString();
    const marks = [{ source: 'pos-eu', part: 'store-7', completeThrough: now }];
    await merchandising
      .open('write')
      .invoke(
        kinesisEvent([
          aSale({ occurredAt: now, acceptedAt: now, currency: 'EUR' }),
          markRecordText({ marks, acceptedAt: now, ingestLane: { number: 0, of: 1 } }),
        ]),
      );

    const page = await opened((question, query) =>
      merchandising.ask(question, Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]))),
    );

    expect(page.console).toEqual([]);
    expect(page.text('figures')).toMatch(/Net sales\s+€5\.10/);
    expect(page.text('by-region')).toMatch(/eu-west/);
    expect(page.text('freshness')).toMatch(/^complete up to /);
    expect(page.text('sources')).toMatch(/pos-eu\s+complete .*\(store-7\)/);
  }, 60_000);

  test('says that its data is late while no answers come', async () => {
    const page = await opened(async () => ({ status: 503, body: { code: 'unavailable', message: 'ask again' } }));

    expect(page.text('freshness')).toBe('Data is late: nothing has come yet');
    expect(page.text('notice')).toMatch(/^The figures could not be read: /);
  }, 60_000);
});
