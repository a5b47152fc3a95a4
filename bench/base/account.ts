import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { AccessKeys } from '../../local/door/door';
import type { MeterSnapshot } from '../../local/door/meter';
import { localRegion } from '../../local/engines/engine';

/** Where the account's process listens. */
export interface AccountAddress {
  readonly url: string;
  readonly keys: AccessKeys;
}

/** What a piece of work cost: CPU of this process, and what the account counted. */
export interface Cost {
  readonly cpuMicros: number;
  /** By `service:operation`. */
  readonly calls: Readonly<Record<string, number>>;
  readonly writeUnits: number;
  readonly readUnits: number;
  /** Of each table. */
  readonly tableWriteUnits: Readonly<Record<string, number>>;
}

/**
 * An empty local account in another process. Clients made after this call find it by the environment. With
 * `partitionLimits` its tables throttle a hot partition as AWS does.
 */
export interface Account {
  /** Runs the work and tells what it cost. Nothing else may run meanwhile. */
  measure(work: () => Promise<void>): Promise<Cost>;
  close(): void;
}

export async function openAccount({ partitionLimits = false } = {}): Promise<Account> {
  const child = fork(join(__dirname, 'base', 'account-process.js'), partitionLimits ? ['partition-limits'] : []);
  const [{ url, keys }] = (await once(child, 'message')) as [AccountAddress];
  Object.assign(process.env, {
    AWS_REGION: localRegion,
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  });
  return {
    async measure(work) {
      await fetch(`${url}/_control/calls`, { method: 'DELETE' });
      const { write } = process.stdout;
      // Functions count their metrics there.
      process.stdout.write = () => true;
      const before = process.cpuUsage();
      await work().finally(() => {
        process.stdout.write = write;
      });
      const { user, system } = process.cpuUsage(before);
      const { calls, billed } = (await (await fetch(`${url}/_control/calls`)).json()) as MeterSnapshot;
      const tables = Object.entries(billed.dynamodb);
      return {
        cpuMicros: user + system,
        calls: calls.others,
        writeUnits: tables.reduce((sum, [, table]) => sum + table.writeUnits, 0),
        readUnits: tables.reduce((sum, [, table]) => sum + table.readUnits, 0),
        tableWriteUnits: Object.fromEntries(tables.map(([name, table]) => [name, table.writeUnits])),
      };
    },
    close: () => child.disconnect(),
  };
}
