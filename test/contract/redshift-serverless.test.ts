import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  GetNamespaceCommand,
  GetWorkgroupCommand,
  RedshiftServerlessClient,
  ResourceNotFoundException,
} from '@aws-sdk/client-redshift-serverless';
import { type PostgresServer, startPostgres } from '../../local/engines/postgres';
import { openRedshift } from '../../local/engines/redshift';
import { type Endpoint, given, startEndpoint, uniqueName, whereGiven } from './endpoint';

const { test } = whereGiven('NAMESPACE', 'WORKGROUP', 'DATABASE', 'ADMIN_SECRET_ARN');
const namespaceName = given('NAMESPACE') ?? 'finance';
const workgroupName = given('WORKGROUP') ?? 'ledger';
const dbName = given('DATABASE') ?? 'warehouse';
const adminPasswordSecretArn =
  given('ADMIN_SECRET_ARN') ?? 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:redshift!finance-admin-AbCdEf';

let folder: string;
let postgres: PostgresServer | undefined;
let endpoint: Endpoint;
let client: RedshiftServerlessClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  endpoint = await startEndpoint(async () => {
    postgres = await startPostgres({ directory: join(folder, 'postgres') });
    const lake = { s3: () => Promise.reject(new Error('nothing is copied here')), fileOf: () => '' };
    const { serverless } = openRedshift({ postgres, ...lake });
    await serverless.call('CreateNamespace', { namespaceName, dbName, adminPasswordSecretArn });
    await serverless.call('CreateWorkgroup', { workgroupName, namespaceName });
    return [serverless];
  });
  client = new RedshiftServerlessClient(endpoint.client);
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a namespace tells its database and the secret of its administrator', async () => {
  const { namespace } = await client.send(new GetNamespaceCommand({ namespaceName }));

  expect(namespace).toMatchObject({ namespaceName, dbName, adminPasswordSecretArn, status: 'AVAILABLE' });
  expect(namespace!.namespaceArn).toMatch(/^arn:aws:redshift-serverless:[a-z0-9-]+:\d{12}:namespace\/[0-9a-f-]{36}$/);
  expect(namespace!.creationDate).toBeInstanceOf(Date);
});

test('a workgroup tells its namespace and where it is reached', async () => {
  const { workgroup } = await client.send(new GetWorkgroupCommand({ workgroupName }));

  expect(workgroup).toMatchObject({ workgroupName, namespaceName, status: 'AVAILABLE' });
  expect(workgroup!.endpoint).toMatchObject({ address: expect.any(String), port: expect.any(Number) });
});

test('what does not exist is not found', async () => {
  const name = uniqueName();

  const namespace = client.send(new GetNamespaceCommand({ namespaceName: name }));
  const workgroup = client.send(new GetWorkgroupCommand({ workgroupName: name }));

  await expect(namespace).rejects.toBeInstanceOf(ResourceNotFoundException);
  await expect(workgroup).rejects.toBeInstanceOf(ResourceNotFoundException);
});
