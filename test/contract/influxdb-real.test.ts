/**
 * The contract of the time series database, and our reader of it, against a real InfluxDB 1 where one is on the PATH
 * (Debian's package `influxdb` has one). Where there is none the suite says so and is skipped.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { lineProtocol } from '../../lambdas/serve/merchandising/influxdb/line-protocol';
import { influxDbReader } from '../../lambdas/serve/merchandising/influxdb/reader';
import { pointsOf } from '../../lambdas/serve/merchandising/points';
import { SalesClient } from '../../lambdas/serve/merchandising/query/answer';
import { readQuestion, type SalesQuestion } from '../../lambdas/serve/merchandising/query/request';
import { someSales } from '../engine-rig/sales';
import { bySql } from '../engines/merchandising-rig';

const isThere = spawnSync('influxd', ['version']).status === 0;

if (!isThere) {
  console.warn('influxd is not on the PATH: the time series contract runs against the local database only');
  test.skip('against a real InfluxDB', () => {});
} else {
  const port = 20_000 + (process.pid % 20_000);
  const url = `http://127.0.0.1:${port}`;
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-influxd-'));
  let server: ChildProcess;

  beforeAll(async () => {
    const configuration = join(folder, 'influxdb.conf');
    writeFileSync(
      configuration,
      [
        'reporting-disabled = true',
        `bind-address = "127.0.0.1:${port + 20_000}"`,
        `[meta]\n  dir = "${join(folder, 'meta')}"`,
        `[data]\n  dir = "${join(folder, 'data')}"\n  wal-dir = "${join(folder, 'wal')}"`,
        `[http]\n  bind-address = "127.0.0.1:${port}"\n  log-enabled = false`,
      ].join('\n'),
    );
    server = spawn('influxd', ['-config', configuration], { stdio: 'ignore' });
    for (let tries = 0; tries < 200; tries++) {
      const isUp = await fetch(`${url}/ping`).then(
        ({ status }) => status === 204,
        () => false,
      );
      if (isUp) return;
      await delay(50);
    }
    throw new Error('influxd did not start within ten seconds');
  }, 30_000);

  // The suite asks for the real one by this variable, when it is loaded.
  process.env.INFLUXDB_URL = url;
  require('./influxdb.test');

  describe('what merchants ask', () => {
    const databases = { sales: 'merchandising', items: 'merchandising_items' };
    const secrets = { send: async () => ({ SecretString: '{"token":"none"}' }) } as unknown as SecretsManagerClient;
    const client = new SalesClient(influxDbReader({ url, databases, secrets, tokenSecretArn: 'arn:read-token' }));
    const sales = someSales(200, (index) => ({
      type: index % 9 === 0 ? 'return' : 'sale',
      region: `region-${index % 4}`,
      channel: index % 3 === 0 ? 'online' : 'store',
      currency: index % 2 === 0 ? 'EUR' : 'USD',
      occurredAt: new Date(Date.parse('2026-11-22T00:00:30Z') + index * 420_000).toISOString(),
      lines: [0, 1, 2].slice(0, 1 + (index % 3)).map((place) => ({
        line: place,
        sku: `SKU-${(index * 7 + place) % 40}`,
        quantity: 1 + (index % 4),
        unitPrice: 100 + index,
        ...(index % 5 === 0 ? { discount: 9 } : {}),
        category: ["it's", 'back\\slash', 'a=b, c "d"'][(index + place) % 3]!,
      })),
    }));

    beforeAll(async () => {
      for (const database of Object.values(databases))
        await fetch(`${url}/query`, {
          method: 'POST',
          body: new URLSearchParams({ q: `CREATE DATABASE ${database}` }),
        });
      for (const measurement of ['sales', 'items'] as const) {
        const points = sales.flatMap(pointsOf).filter((point) => point.measurement === measurement);
        const answer = await fetch(`${url}/write?db=${databases[measurement]}&precision=ns`, {
          method: 'POST',
          body: points.map(lineProtocol).join('\n'),
        });
        expect(answer.status).toBe(204);
      }
    });

    async function ask(kind: SalesQuestion['kind'], parameters: Record<string, string> = {}) {
      const query = { from: '2026-11-22T00:00Z', to: '2026-11-23T00:00Z', ...parameters };
      const lists = Object.fromEntries(Object.entries(query).map(([name, value]) => [name, [value]]));
      const question = readQuestion(kind, lists, Date.now());
      if ('code' in question) throw new Error(question.message);
      const { rows } = await client.ask(question);
      return rows.map(({ value = null, currency, netSales, units, transactions, returns }) => ({
        ...{ value, currency, netSales, units, transactions, returns },
      }));
    }
    const sums = async (by: string | null, where?: string) =>
      (await bySql(sales, by, where)).map(({ value, currency, netSales, units, transactions, returns }) => ({
        ...{ value: value?.replaceAll('\\', '/') ?? null, currency, netSales, units, transactions, returns },
      }));
    const sorted = (rows: readonly { value: string | null; currency: string }[]) =>
      [...rows].sort((a, b) => (`${a.currency} ${a.value}` < `${b.currency} ${b.value}` ? -1 : 1));

    test.each(['region', 'channel', 'location', 'category'] as const)('by %s, as SQL says', async (by) => {
      expect(sorted(await ask('groups', { by }))).toEqual(sorted(await sums(by)));
    });

    test('in all, and by a filter with every odd character', async () => {
      expect(await ask('totals')).toEqual(await sums(null));
      for (const category of ["it's", 'back\\slash', 'a=b, c "d"'])
        expect(await ask('totals', { category })).toEqual(
          await sums(null, `category = '${category.replaceAll("'", "''")}'`),
        );
    });

    test.each(['top', 'bottom'] as const)('the %s items of each currency', async (order) => {
      const expected = await sums('sku');
      const told = await ask('groups', { by: 'item', order, limit: '5' });

      for (const currency of ['EUR', 'USD']) {
        const all = expected.filter((row) => row.currency === currency).map(({ netSales }) => netSales);
        all.sort((a, b) => (order === 'top' ? b - a : a - b));
        const mine = told.filter((row) => row.currency === currency);
        expect(mine.map(({ netSales }) => netSales)).toEqual(all.slice(0, 5));
        for (const row of mine) expect(expected).toContainEqual(row);
      }
    });

    test('over time, in windows that begin with what is asked', async () => {
      const rows = await ask('series', { every: '1d', from: '2026-11-21T23:00Z', to: '2026-11-22T23:00Z' });

      expect(rows).toEqual(await sums(null, `occurredAt < '2026-11-22T23:00:00Z'`));
    });
  });

  afterAll(async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
}
