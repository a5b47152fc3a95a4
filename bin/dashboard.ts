import { parseArgs } from 'node:util';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { serveDashboard } from '../local/dashboard';

const usage = `Shows merchandising's dashboard of a deployed stage in a browser of this machine.

  node build/bin/dashboard.js --api https://<id>.execute-api.<region>.amazonaws.com/v1/merchandising [--port 8090]

  --api   output Url of the Merchandising stack, without its last part
  --port  where the page is to be found on 127.0.0.1; any free one when absent

Requests are signed with your own credentials (environment, profile or role), which need execute-api:Invoke on the API.`;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { api: { type: 'string' }, port: { type: 'string' } } });
  const region = /\.execute-api\.([a-z0-9-]+)\./.exec(values.api ?? '')?.[1];
  if (values.api === undefined || region === undefined) throw new Error(usage);
  const { url } = await serveDashboard({
    apiUrl: values.api,
    region,
    // As any client of the SDK finds them.
    credentials: new SecretsManagerClient({ region }).config.credentials,
    ...(values.port === undefined ? {} : { port: Number(values.port) }),
  });
  console.log(`dashboard at ${url}/; Ctrl-C ends`);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
