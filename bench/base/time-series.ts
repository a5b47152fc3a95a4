import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { AccessKeys } from '../../local/door/door';
import { localRegion } from '../../local/engines/engine';

/** Where the process of the time series listens, and its first user. */
export interface TimeSeriesAddress {
  readonly url: string;
  readonly keys: AccessKeys;
  readonly user: {
    readonly username: string;
    readonly password: string;
    readonly organization: string;
    readonly bucket: string;
  };
}

/** The local InfluxDB in another process. Clients made after this call find Secrets Manager by the environment. */
export async function openTimeSeries(directory: string): Promise<TimeSeriesAddress & { close(): Promise<void> }> {
  const child: ChildProcess = fork(join(__dirname, 'base', 'time-series-process.js'), [directory]);
  const [address] = (await once(child, 'message')) as [TimeSeriesAddress];
  Object.assign(process.env, {
    AWS_REGION: localRegion,
    AWS_ENDPOINT_URL: address.url,
    AWS_ACCESS_KEY_ID: address.keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: address.keys.secretAccessKey,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  });
  return {
    ...address,
    async close() {
      const closed = once(child, 'exit');
      child.disconnect();
      await closed;
    },
  };
}
