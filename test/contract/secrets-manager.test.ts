import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { openSecretsManager } from '../../local/engines/secrets-manager';
import { type Endpoint, startEndpoint, uniqueName } from './endpoint';

let endpoint: Endpoint;
let client: SecretsManagerClient;

beforeAll(async () => {
  endpoint = await startEndpoint(async () => [await openSecretsManager()]);
  client = new SecretsManagerClient(endpoint.client);
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
});

function newName(): string {
  const name = `test/${uniqueName()}`;
  const ForceDeleteWithoutRecovery = true;
  endpoint.cleanUp(() => client.send(new DeleteSecretCommand({ SecretId: name, ForceDeleteWithoutRecovery })));
  return name;
}

const create = (Name: string, SecretString: string) => client.send(new CreateSecretCommand({ Name, SecretString }));

test('a secret is read by name, by ARN and by ARN without its end', async () => {
  const Name = newName();
  const { ARN } = await create(Name, 'one');

  expect(ARN).toMatch(new RegExp(`^arn:aws:secretsmanager:[a-z0-9-]+:\\d{12}:secret:${Name}-[A-Za-z0-9]{6}$`));
  for (const SecretId of [Name, ARN!, ARN!.slice(0, -7)]) {
    await expect(client.send(new GetSecretValueCommand({ SecretId }))).resolves.toMatchObject({
      ARN,
      Name,
      SecretString: 'one',
      VersionStages: ['AWSCURRENT'],
    });
  }
});

test('a new value makes the old one the previous one', async () => {
  const SecretId = newName();
  const first = await create(SecretId, 'one');

  const second = await client.send(new PutSecretValueCommand({ SecretId, SecretString: 'two' }));
  const third = await client.send(new UpdateSecretCommand({ SecretId, SecretString: 'three', Description: 'changed' }));

  const read = (VersionStage: string) => client.send(new GetSecretValueCommand({ SecretId, VersionStage }));
  expect(await read('AWSCURRENT')).toMatchObject({ SecretString: 'three', VersionId: third.VersionId });
  expect(await read('AWSPREVIOUS')).toMatchObject({ SecretString: 'two', VersionId: second.VersionId });
  const described = await client.send(new DescribeSecretCommand({ SecretId }));
  expect(described).toMatchObject({
    Description: 'changed',
    VersionIdsToStages: { [third.VersionId!]: ['AWSCURRENT'], [second.VersionId!]: ['AWSPREVIOUS'] },
  });
  expect(described.VersionIdsToStages).not.toHaveProperty(first.VersionId!);
  const byId = client.send(new GetSecretValueCommand({ SecretId, VersionId: first.VersionId }));
  await expect(byId).resolves.toMatchObject({ SecretString: 'one' });
});

test('the same value under the same token is put once', async () => {
  const SecretId = newName();
  await create(SecretId, 'one');
  const put = { SecretId, SecretString: 'two', ClientRequestToken: randomUUID() };
  await client.send(new PutSecretValueCommand(put));

  const again = await client.send(new PutSecretValueCommand(put));

  expect(again.VersionId).toBe(put.ClientRequestToken);
  const before = await client.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSPREVIOUS' }));
  expect(before.SecretString).toBe('one');
  const other = client.send(new PutSecretValueCommand({ ...put, SecretString: 'three' }));
  await expect(other).rejects.toMatchObject({ name: 'ResourceExistsException' });
});

test('creating again is refused unless it is the same creation', async () => {
  const creation = { Name: newName(), SecretString: 'one', ClientRequestToken: randomUUID() };
  const { ARN } = await client.send(new CreateSecretCommand(creation));

  const again = await client.send(new CreateSecretCommand(creation));
  const other = create(creation.Name, 'one');

  expect(again.ARN).toBe(ARN);
  await expect(other).rejects.toMatchObject({ name: 'ResourceExistsException' });
});

test('a version waits under its own stage until it is made current', async () => {
  const SecretId = newName();
  await create(SecretId, 'one');

  await client.send(new PutSecretValueCommand({ SecretId, SecretString: 'two', VersionStages: ['AWSPENDING'] }));

  expect(await client.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ SecretString: 'one' });
  const pending = client.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSPENDING' }));
  await expect(pending).resolves.toMatchObject({ SecretString: 'two' });
});

test('bytes come back as they were', async () => {
  const SecretId = newName();
  const SecretBinary = Buffer.from([0, 255, 128]);
  await client.send(new CreateSecretCommand({ Name: SecretId, SecretBinary }));

  const read = await client.send(new GetSecretValueCommand({ SecretId }));

  expect(Buffer.from(read.SecretBinary!)).toEqual(SecretBinary);
});

test('a secret may be made before its value', async () => {
  const SecretId = newName();
  await client.send(new CreateSecretCommand({ Name: SecretId }));

  const early = client.send(new GetSecretValueCommand({ SecretId }));
  await expect(early).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  await client.send(new PutSecretValueCommand({ SecretId, SecretString: 'late' }));

  expect(await client.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ SecretString: 'late' });
});

test('what does not exist is not found', async () => {
  const read = client.send(new GetSecretValueCommand({ SecretId: newName() }));

  await expect(read).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});
