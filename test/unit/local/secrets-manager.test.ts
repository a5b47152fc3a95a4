import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { openSecretsManager } from '../../../local/engines/secrets-manager';
import { generateSecretString } from '../../../local/engines/secrets-manager-passwords';

describe('generated secrets', () => {
  test('a password has 32 characters with one of each type', () => {
    const password = generateSecretString({});

    expect(password).toHaveLength(32);
    for (const type of [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/]) expect(password).toMatch(type);
    expect(generateSecretString({})).not.toBe(password);
  });

  test('exclusions hold', () => {
    const password = generateSecretString({
      PasswordLength: 200,
      ExcludePunctuation: true,
      ExcludeUppercase: true,
      ExcludeCharacters: 'abc0',
    });

    expect(password).toMatch(/^[d-z1-9]{200}$/);
  });

  test('a password fills the template', () => {
    const template = { SecretStringTemplate: '{"username":"admin"}', GenerateStringKey: 'password' };

    const secret = JSON.parse(generateSecretString({ ...template, PasswordLength: 12 }));

    expect(secret).toEqual({ username: 'admin', password: expect.stringMatching(/^.{12}$/) });
  });

  test('what cannot be made is refused', () => {
    expect(() => generateSecretString({ PasswordLength: 3 })).toThrow('too few characters');
    expect(() => generateSecretString({ SecretStringTemplate: '{}' })).toThrow('go together');
    expect(() => generateSecretString({ Pronounceable: true } as object)).toThrow('Pronounceable is not modelled');
  });
});

test('secrets outlive the engine, in a file for its owner only', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'secrets-'));
  const first = await openSecretsManager({ directory });
  const { ARN } = await first.call('CreateSecret', { Name: 'db', GenerateSecretString: {} });
  const { SecretString } = await first.call('GetSecretValue', { SecretId: 'db' });

  const second = await openSecretsManager({ directory });

  expect(await second.call('GetSecretValue', { SecretId: ARN })).toMatchObject({ SecretString });
  expect(fs.statSync(path.join(directory, 'secrets.json')).mode & 0o777).toBe(0o600);
  fs.rmSync(directory, { recursive: true });
});

test('every version is visible to a scan', async () => {
  const engine = await openSecretsManager();
  await engine.call('CreateSecret', { Name: 'db', SecretString: 'needle-old' });
  await engine.call('PutSecretValue', { SecretId: 'db', SecretBinary: Buffer.from('needle-new').toString('base64') });
  let all = '';

  for await (const { text } of engine.contents()) all += text;

  expect(all).toContain('needle-old');
  expect(all).toContain('needle-new');
});

test('what is not modelled is refused by name', async () => {
  const engine = await openSecretsManager();

  await expect(engine.call('RotateSecret', {})).rejects.toThrow('RotateSecret is not modelled');
  await expect(engine.call('CreateSecret', { Name: 'x', AddReplicaRegions: [] })).rejects.toThrow('AddReplicaRegions');
});
