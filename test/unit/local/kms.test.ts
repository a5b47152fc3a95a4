import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { openKms } from '../../../local/engines/kms';

test('keys outlive the engine, in a file for its owner only', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kms-'));
  const first = await openKms({ directory });
  const { KeyMetadata } = await first.call('CreateKey', {});
  await first.call('CreateAlias', { AliasName: 'alias/vault', TargetKeyId: KeyMetadata.KeyId });
  const Plaintext = Buffer.from('x').toString('base64');
  const { CiphertextBlob } = await first.call('Encrypt', { KeyId: 'alias/vault', Plaintext });

  const second = await openKms({ directory });

  expect(await second.call('Decrypt', { CiphertextBlob, KeyId: 'alias/vault' })).toMatchObject({ Plaintext });
  expect(fs.statSync(path.join(directory, 'keys.json')).mode & 0o777).toBe(0o600);
  fs.rmSync(directory, { recursive: true });
});

test('what is not modelled is refused by name', async () => {
  const kms = await openKms();
  const { KeyMetadata } = await kms.call('CreateKey', {});

  await expect(kms.call('CreateGrant', {})).rejects.toThrow('kms CreateGrant is not modelled locally');
  await expect(kms.call('CreateKey', { KeySpec: 'RSA_2048' })).rejects.toMatchObject({
    code: 'UnsupportedOperationException',
  });
  await expect(kms.call('Encrypt', { KeyId: KeyMetadata.KeyId, DryRun: true })).rejects.toThrow('Encrypt with DryRun');
});

test('descriptions and aliases are visible to a scan, key material is not', async () => {
  const kms = await openKms();
  const { KeyMetadata } = await kms.call('CreateKey', { Description: 'needle-description' });
  await kms.call('CreateAlias', { AliasName: 'alias/needle-alias', TargetKeyId: KeyMetadata.KeyId });
  let all = '';

  for await (const { text } of kms.contents()) all += text;

  expect(all).toContain('needle-description');
  expect(all).toContain('needle-alias');
  expect(all).not.toContain('material');
});
