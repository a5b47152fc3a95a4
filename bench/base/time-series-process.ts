import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openDoor } from '../../local/door/door';
import { localAccount } from '../../local/engines/engine';
import { openInfluxDb } from '../../local/engines/influxdb';
import { openSecretsManager } from '../../local/engines/secrets-manager';
import type { TimeSeriesAddress } from './time-series';

/** The local InfluxDB and its token's secret, in a process of its own, on the folder that it is given. */
async function main(directory: string): Promise<void> {
  mkdirSync(join(directory, 'secrets'), { recursive: true });
  const influxdb = await openInfluxDb({ directory: join(directory, 'influxdb') });
  const secrets = await openSecretsManager({ directory: join(directory, 'secrets') });
  const user = { username: 'bench', password: 'correct-horse', organization: 'bench', bucket: 'merchandising' };
  const door = await openDoor({
    engines: [secrets],
    influx: {
      async handle({ query, ...request }) {
        const { status, ...answer } = await influxdb.handle({ ...request, query: new URLSearchParams(query) });
        return { statusCode: status, ...answer };
      },
    },
    credentials: new Map(),
    lookup: { keyOf: () => undefined },
    invoke: async (functionName) => {
      throw new Error(`there is no function ${functionName}`);
    },
    kill: () => {},
  });
  influxdb.provision(user);
  const keys = door.registerAdministrator(`arn:aws:iam::${localAccount}:user/bench`);
  process.once('disconnect', async () => {
    await influxdb.close();
    process.exit();
  });
  process.send!({ url: door.url, keys, user } satisfies TimeSeriesAddress);
}

void main(process.argv[2]!);
