import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  GenerateRandomCommand,
  KMSClient,
  ReEncryptCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms';
import { openKms } from '../../local/engines/kms';
import { type Endpoint, startEndpoint } from './endpoint';

let endpoint: Endpoint;
let kms: KMSClient;

beforeAll(async () => {
  endpoint = await startEndpoint(async () => [await openKms()]);
  kms = new KMSClient(endpoint.client);
});

afterAll(async () => {
  await endpoint.close();
  kms.destroy();
});

async function createKey(input: CreateKeyCommandInput = {}) {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand(input));
  const KeyId = KeyMetadata!.KeyId!;
  endpoint.cleanUp(() => kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 })));
  return { id: KeyId, arn: KeyMetadata!.Arn! };
}

const createMacKey = () => createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
const bytes = (text: string) => Buffer.from(text);

describe('encryption', () => {
  test('what was encrypted comes back, under id, ARN, alias or no name at all', async () => {
    const { id, arn } = await createKey();
    const AliasName = `alias/${id}`;
    await kms.send(new CreateAliasCommand({ AliasName, TargetKeyId: id }));
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId: AliasName, Plaintext: bytes('till') }));

    for (const KeyId of [id, arn, AliasName, undefined]) {
      const opened = await kms.send(new DecryptCommand({ CiphertextBlob, ...(KeyId === undefined ? {} : { KeyId }) }));
      expect(opened.KeyId).toBe(arn);
      expect(Buffer.from(opened.Plaintext!).toString()).toBe('till');
    }
  });

  test('the context belongs to the ciphertext, whatever the order of its pairs', async () => {
    const { id } = await createKey();
    const { CiphertextBlob } = await kms.send(
      new EncryptCommand({ KeyId: id, Plaintext: bytes('x'), EncryptionContext: { purpose: 'vault', stage: 'local' } }),
    );

    const opened = kms.send(
      new DecryptCommand({ CiphertextBlob, EncryptionContext: { stage: 'local', purpose: 'vault' } }),
    );

    await expect(opened).resolves.toMatchObject({ Plaintext: expect.anything() });
  });

  test.each([[{}], [{ purpose: 'other', stage: 'local' }], [{ purpose: 'vault' }], [{ purposevault: 'stagelocal' }]])(
    'the context %j does not open another one',
    async (EncryptionContext) => {
      const { id } = await createKey();
      const { CiphertextBlob } = await kms.send(
        new EncryptCommand({
          KeyId: id,
          Plaintext: bytes('x'),
          EncryptionContext: { purpose: 'vault', stage: 'local' },
        }),
      );

      const opened = kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));

      await expect(opened).rejects.toMatchObject({ name: 'InvalidCiphertextException' });
    },
  );

  test('a changed ciphertext is refused', async () => {
    const { id } = await createKey();
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') }));
    const changed = Buffer.from(CiphertextBlob!);
    changed[changed.length - 1]! ^= 1;

    for (const blob of [changed, bytes('nonsense'), Buffer.alloc(100, 7)]) {
      const opened = kms.send(new DecryptCommand({ CiphertextBlob: blob }));
      await expect(opened).rejects.toMatchObject({ name: 'InvalidCiphertextException' });
    }
  });

  test('a key that did not encrypt it is the wrong key', async () => {
    const [one, other] = [await createKey(), await createKey()];
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId: one.id, Plaintext: bytes('x') }));

    const opened = kms.send(new DecryptCommand({ CiphertextBlob, KeyId: other.id }));

    await expect(opened).rejects.toMatchObject({ name: 'IncorrectKeyException' });
  });

  test('more than 4,096 bytes are too many', async () => {
    const { id } = await createKey();

    const sealed = kms.send(new EncryptCommand({ KeyId: id, Plaintext: Buffer.alloc(4097) }));

    await expect(sealed).rejects.toMatchObject({ name: 'ValidationException' });
  });

  test('a ciphertext moves to another key and context without its plaintext being seen', async () => {
    const [one, other] = [await createKey(), await createKey()];
    const { CiphertextBlob } = await kms.send(
      new EncryptCommand({ KeyId: one.id, Plaintext: bytes('x'), EncryptionContext: { v: '1' } }),
    );

    const moved = await kms.send(
      new ReEncryptCommand({
        CiphertextBlob,
        SourceEncryptionContext: { v: '1' },
        DestinationKeyId: other.id,
        DestinationEncryptionContext: { v: '2' },
      }),
    );

    expect(moved).toMatchObject({ SourceKeyId: one.arn, KeyId: other.arn });
    const opened = await kms.send(
      new DecryptCommand({ CiphertextBlob: moved.CiphertextBlob, EncryptionContext: { v: '2' } }),
    );
    expect(Buffer.from(opened.Plaintext!).toString()).toBe('x');
  });

  test('after a rotation both old and new ciphertexts open', async () => {
    const { id } = await createKey();
    const before = await kms.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('before') }));

    await kms.send(new RotateKeyOnDemandCommand({ KeyId: id }));
    const after = await kms.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('after') }));

    for (const [{ CiphertextBlob }, expected] of [[before, 'before'] as const, [after, 'after'] as const]) {
      const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob }));
      expect(Buffer.from(Plaintext!).toString()).toBe(expected);
    }
  });
});

describe('data keys', () => {
  test('a data key comes plain and wrapped', async () => {
    const { id } = await createKey();
    const EncryptionContext = { purpose: 'vault' };

    const made = await kms.send(new GenerateDataKeyCommand({ KeyId: id, KeySpec: 'AES_256', EncryptionContext }));

    expect(made.Plaintext).toHaveLength(32);
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, EncryptionContext }));
    expect(opened.Plaintext).toEqual(made.Plaintext);
  });

  test('or wrapped only', async () => {
    const { id } = await createKey();

    const made = await kms.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId: id, NumberOfBytes: 64 }));

    expect(made).not.toHaveProperty('Plaintext');
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob }));
    expect(opened.Plaintext).toHaveLength(64);
  });

  test('random bytes differ', async () => {
    const one = await kms.send(new GenerateRandomCommand({ NumberOfBytes: 32 }));
    const other = await kms.send(new GenerateRandomCommand({ NumberOfBytes: 32 }));

    expect(one.Plaintext).toHaveLength(32);
    expect(one.Plaintext).not.toEqual(other.Plaintext);
  });
});

describe('message codes', () => {
  test('the same message gives the same code, which verifies', async () => {
    const { id, arn } = await createMacKey();
    const input = { KeyId: id, Message: bytes('card'), MacAlgorithm: 'HMAC_SHA_256' as const };

    const one = await kms.send(new GenerateMacCommand(input));
    const two = await kms.send(new GenerateMacCommand(input));

    expect(one.Mac).toHaveLength(32);
    expect(two.Mac).toEqual(one.Mac);
    await expect(kms.send(new VerifyMacCommand({ ...input, Mac: one.Mac }))).resolves.toMatchObject({
      KeyId: arn,
      MacValid: true,
    });
  });

  test('a wrong code does not verify', async () => {
    const { id } = await createMacKey();
    const input = { KeyId: id, Message: bytes('card'), MacAlgorithm: 'HMAC_SHA_256' as const };

    const verified = kms.send(new VerifyMacCommand({ ...input, Mac: Buffer.alloc(32) }));

    await expect(verified).rejects.toMatchObject({ name: 'KMSInvalidMacException' });
  });

  test('a key is used for what it was made for', async () => {
    const [mac, symmetric] = [await createMacKey(), await createKey()];

    const sealed = kms.send(new EncryptCommand({ KeyId: mac.id, Plaintext: bytes('x') }));
    const coded = kms.send(
      new GenerateMacCommand({ KeyId: symmetric.id, Message: bytes('x'), MacAlgorithm: 'HMAC_SHA_256' }),
    );
    const otherwise = kms.send(
      new GenerateMacCommand({ KeyId: mac.id, Message: bytes('x'), MacAlgorithm: 'HMAC_SHA_512' }),
    );

    await expect(sealed).rejects.toMatchObject({ name: 'InvalidKeyUsageException' });
    await expect(coded).rejects.toMatchObject({ name: 'InvalidKeyUsageException' });
    await expect(otherwise).rejects.toMatchObject({ name: 'InvalidKeyUsageException' });
  });

  test('a message code key cannot be rotated', async () => {
    const { id } = await createMacKey();

    const rotated = kms.send(new RotateKeyOnDemandCommand({ KeyId: id }));

    await expect(rotated).rejects.toMatchObject({ name: 'UnsupportedOperationException' });
  });
});

describe('the life of a key', () => {
  test('a disabled key serves nobody until it is enabled', async () => {
    const { id } = await createKey();
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') }));

    await kms.send(new DisableKeyCommand({ KeyId: id }));

    const opened = kms.send(new DecryptCommand({ CiphertextBlob }));
    await expect(opened).rejects.toMatchObject({ name: 'DisabledException' });
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: id }));
    expect(KeyMetadata).toMatchObject({ Enabled: false, KeyState: 'Disabled' });
    await kms.send(new EnableKeyCommand({ KeyId: id }));
    await expect(kms.send(new DecryptCommand({ CiphertextBlob }))).resolves.toBeDefined();
  });

  test('a key that waits for its deletion serves nobody and can be brought back', async () => {
    const { id } = await createKey();

    const scheduled = await kms.send(new ScheduleKeyDeletionCommand({ KeyId: id, PendingWindowInDays: 7 }));

    expect(scheduled).toMatchObject({ KeyState: 'PendingDeletion', DeletionDate: expect.any(Date) });
    const sealed = kms.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') }));
    await expect(sealed).rejects.toMatchObject({ name: 'KMSInvalidStateException' });
    await kms.send(new CancelKeyDeletionCommand({ KeyId: id }));
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: id }));
    expect(KeyMetadata!.KeyState).toBe('Disabled');
  });

  test('what does not exist is not found', async () => {
    const missing = '00000000-0000-0000-0000-000000000000';

    for (const KeyId of [missing, 'nonsense', 'alias/nobody']) {
      const described = kms.send(new DescribeKeyCommand({ KeyId }));
      await expect(described).rejects.toMatchObject({ name: 'NotFoundException' });
    }
  });

  test('an alias is given once', async () => {
    const { id } = await createKey();
    const AliasName = `alias/once-${id}`;
    await kms.send(new CreateAliasCommand({ AliasName, TargetKeyId: id }));

    const again = kms.send(new CreateAliasCommand({ AliasName, TargetKeyId: id }));

    await expect(again).rejects.toMatchObject({ name: 'AlreadyExistsException' });
  });
});
