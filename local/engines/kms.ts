import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { AwsError, type Engine } from './engine';
import { aliasArn, checkAlias, invalid, KeyStore, keyMetadata, macAlgorithm } from './kms-key-store';
import { decrypt, encrypt, invalidCiphertext, type Key, keyArn, keyIdOf, macDigests } from './kms-keys';

/** The members of each request that are modelled; any other is refused. */
const inputs: Readonly<Record<string, readonly string[]>> = {
  CreateKey: [
    'Policy',
    'Description',
    'KeyUsage',
    'KeySpec',
    'CustomerMasterKeySpec',
    'Origin',
    'MultiRegion',
    'Tags',
    'BypassPolicyLockoutSafetyCheck',
  ],
  DescribeKey: ['KeyId'],
  ListKeys: [],
  EnableKey: ['KeyId'],
  DisableKey: ['KeyId'],
  ScheduleKeyDeletion: ['KeyId', 'PendingWindowInDays'],
  CancelKeyDeletion: ['KeyId'],
  PutKeyPolicy: ['KeyId', 'PolicyName', 'Policy', 'BypassPolicyLockoutSafetyCheck'],
  GetKeyPolicy: ['KeyId', 'PolicyName'],
  EnableKeyRotation: ['KeyId'],
  DisableKeyRotation: ['KeyId'],
  GetKeyRotationStatus: ['KeyId'],
  RotateKeyOnDemand: ['KeyId'],
  CreateAlias: ['AliasName', 'TargetKeyId'],
  UpdateAlias: ['AliasName', 'TargetKeyId'],
  DeleteAlias: ['AliasName'],
  ListAliases: ['KeyId'],
  Encrypt: ['KeyId', 'Plaintext', 'EncryptionContext', 'EncryptionAlgorithm'],
  Decrypt: ['KeyId', 'CiphertextBlob', 'EncryptionContext', 'EncryptionAlgorithm'],
  ReEncrypt: [
    'CiphertextBlob',
    'SourceKeyId',
    'SourceEncryptionContext',
    'DestinationKeyId',
    'DestinationEncryptionContext',
    'SourceEncryptionAlgorithm',
    'DestinationEncryptionAlgorithm',
  ],
  GenerateDataKey: ['KeyId', 'KeySpec', 'NumberOfBytes', 'EncryptionContext'],
  GenerateDataKeyWithoutPlaintext: ['KeyId', 'KeySpec', 'NumberOfBytes', 'EncryptionContext'],
  GenerateMac: ['KeyId', 'Message', 'MacAlgorithm'],
  VerifyMac: ['KeyId', 'Message', 'MacAlgorithm', 'Mac'],
  GenerateRandom: ['NumberOfBytes'],
};

const algorithm = 'SYMMETRIC_DEFAULT';
const maxOnDemandRotations = 25;

/** KMS on node:crypto: real AES-256-GCM and HMAC, keys in a file that only its owner may read (or in memory). */
export async function openKms({ directory }: { readonly directory?: string } = {}): Promise<Engine> {
  const store = new KeyStore(directory);

  function open(blobText: unknown, context: any, wanted: unknown, operation: string) {
    const blob = bytesOf(blobText, 'ciphertextBlob', 6144);
    const key = store.keys.get(keyIdOf(blob));
    if (key === undefined) throw invalidCiphertext();
    if (wanted !== undefined && store.find(wanted) !== key) {
      const message = 'The key ID in the request does not identify a CMK that can perform this operation.';
      throw new AwsError('IncorrectKeyException', message);
    }
    store.checkUsable(key, 'ENCRYPT_DECRYPT', operation);
    return { key, plaintext: decrypt(key, blob, context) };
  }

  function mac(input: any, operation: string) {
    const key = store.usable(input.KeyId, 'GENERATE_VERIFY_MAC', operation);
    const message = bytesOf(input.Message, 'message', 4096);
    if (input.MacAlgorithm !== macAlgorithm(key)) {
      const got = `Algorithm ${input.MacAlgorithm} is incompatible with key spec ${key.spec}.`;
      throw new AwsError('InvalidKeyUsageException', got);
    }
    const { digest } = macDigests[key.spec as keyof typeof macDigests];
    return { key, value: createHmac(digest, Buffer.from(key.material[0]!, 'base64')).update(message).digest() };
  }

  function dataKey(input: any, operation: string) {
    const { KeySpec: spec, NumberOfBytes: count } = input;
    if ((spec === undefined) === (count === undefined)) {
      throw new AwsError('ValidationException', 'Please specify either number of bytes or key spec.');
    }
    const bytes = count ?? { AES_128: 16, AES_256: 32 }[spec as 'AES_256'];
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > 1024)
      throw invalid('numberOfBytes', 'Member must be 1 to 1024');
    const key = store.usable(input.KeyId, 'ENCRYPT_DECRYPT', operation);
    const plaintext = randomBytes(bytes);
    const blob = encrypt(key, plaintext, input.EncryptionContext);
    return { Plaintext: plaintext.toString('base64'), KeyId: keyArn(key.id), CiphertextBlob: blob.toString('base64') };
  }

  function rotatable(name: unknown): Key {
    const key = store.find(name);
    if (key.spec === 'SYMMETRIC_DEFAULT') return store.checkUsable(key, 'ENCRYPT_DECRYPT', 'rotation');
    throw new AwsError('UnsupportedOperationException', `${keyArn(key.id)} of key spec ${key.spec} cannot be rotated.`);
  }

  const operations: Record<string, (input: any) => object | undefined> = {
    CreateKey(input) {
      const spec = input.KeySpec ?? input.CustomerMasterKeySpec ?? algorithm;
      const hmac = Object.hasOwn(macDigests, spec) ? macDigests[spec as keyof typeof macDigests] : undefined;
      if (
        (spec !== algorithm && hmac === undefined) ||
        input.MultiRegion ||
        (input.Origin ?? 'AWS_KMS') !== 'AWS_KMS'
      ) {
        throw unsupported(`CreateKey with ${JSON.stringify({ spec, multi: input.MultiRegion, origin: input.Origin })}`);
      }
      const usage = hmac === undefined ? 'ENCRYPT_DECRYPT' : 'GENERATE_VERIFY_MAC';
      if ((input.KeyUsage ?? 'ENCRYPT_DECRYPT') !== usage) {
        throw new AwsError('ValidationException', `KeyUsage ${input.KeyUsage} is not compatible with KeySpec ${spec}`);
      }
      const key: Key = {
        id: randomUUID(),
        spec,
        usage,
        description: input.Description ?? '',
        created: Date.now() / 1000,
        tags: input.Tags ?? [],
        policy: input.Policy ?? '',
        state: 'Enabled',
        rotates: false,
        material: [randomBytes(hmac?.bytes ?? 32).toString('base64')],
      };
      store.keys.set(key.id, key);
      store.save();
      return { KeyMetadata: keyMetadata(key) };
    },
    DescribeKey: ({ KeyId }) => ({ KeyMetadata: keyMetadata(store.find(KeyId)) }),
    ListKeys: () => ({
      Keys: [...store.keys.keys()].map((id) => ({ KeyId: id, KeyArn: keyArn(id) })),
      Truncated: false,
    }),

    EnableKey: ({ KeyId }) => store.change(store.find(KeyId), 'Enabled'),
    DisableKey: ({ KeyId }) => store.change(store.find(KeyId), 'Disabled'),
    ScheduleKeyDeletion({ KeyId, PendingWindowInDays: days = 30 }) {
      if (days < 7 || days > 30) throw invalid('pendingWindowInDays', 'Member must be 7 to 30');
      const key = store.find(KeyId);
      store.change(key, 'PendingDeletion');
      key.deletion = Date.now() / 1000 + days * 86_400;
      store.save();
      return { KeyId: keyArn(key.id), DeletionDate: key.deletion, KeyState: key.state, PendingWindowInDays: days };
    },
    CancelKeyDeletion({ KeyId }) {
      const key = store.find(KeyId);
      if (key.state !== 'PendingDeletion') {
        throw new AwsError('KMSInvalidStateException', `${keyArn(key.id)} is not pending deletion.`);
      }
      key.state = 'Disabled';
      delete key.deletion;
      store.save();
      return { KeyId: keyArn(key.id) };
    },

    PutKeyPolicy({ KeyId, Policy }) {
      store.find(KeyId).policy = Policy;
      store.save();
      return undefined;
    },
    GetKeyPolicy: ({ KeyId }) => ({ Policy: store.find(KeyId).policy, PolicyName: 'default' }),

    EnableKeyRotation: ({ KeyId }) => store.rotate(rotatable(KeyId), true),
    DisableKeyRotation: ({ KeyId }) => store.rotate(rotatable(KeyId), false),
    GetKeyRotationStatus: ({ KeyId }) => ({
      KeyId: keyArn(store.find(KeyId).id),
      KeyRotationEnabled: store.find(KeyId).rotates,
    }),
    RotateKeyOnDemand({ KeyId }) {
      const key = rotatable(KeyId);
      if (key.material.length > maxOnDemandRotations) {
        const message = `${keyArn(key.id)} has been rotated on demand ${maxOnDemandRotations} times, the most allowed.`;
        throw new AwsError('LimitExceededException', message);
      }
      key.material.push(randomBytes(32).toString('base64'));
      store.save();
      return { KeyId: keyArn(key.id) };
    },

    CreateAlias({ AliasName, TargetKeyId }) {
      checkAlias(AliasName);
      if (store.aliases.has(AliasName)) {
        throw new AwsError('AlreadyExistsException', `An alias with the name ${aliasArn(AliasName)} already exists`);
      }
      return store.point(AliasName, store.find(TargetKeyId));
    },
    UpdateAlias({ AliasName, TargetKeyId }) {
      store.find(AliasName);
      return store.point(AliasName, store.find(TargetKeyId));
    },
    DeleteAlias({ AliasName }) {
      store.find(AliasName);
      store.aliases.delete(AliasName);
      store.save();
      return undefined;
    },
    ListAliases({ KeyId }) {
      const wanted = KeyId === undefined ? undefined : store.find(KeyId).id;
      const all = [...store.aliases].filter(([, id]) => wanted === undefined || id === wanted);
      const Aliases = all.map(([name, id]) => ({ AliasName: name, AliasArn: aliasArn(name), TargetKeyId: id }));
      return { Aliases, Truncated: false };
    },

    Encrypt(input) {
      const plaintext = bytesOf(input.Plaintext, 'plaintext', 4096);
      const key = store.usable(input.KeyId, 'ENCRYPT_DECRYPT', 'Encrypt');
      const blob = encrypt(key, plaintext, input.EncryptionContext);
      return { CiphertextBlob: blob.toString('base64'), KeyId: keyArn(key.id), EncryptionAlgorithm: algorithm };
    },
    Decrypt({ CiphertextBlob, EncryptionContext, KeyId }) {
      const { key, plaintext } = open(CiphertextBlob, EncryptionContext, KeyId, 'Decrypt');
      return { KeyId: keyArn(key.id), Plaintext: plaintext.toString('base64'), EncryptionAlgorithm: algorithm };
    },
    ReEncrypt(input) {
      const source = open(input.CiphertextBlob, input.SourceEncryptionContext, input.SourceKeyId, 'ReEncrypt');
      const key = store.usable(input.DestinationKeyId, 'ENCRYPT_DECRYPT', 'ReEncrypt');
      const blob = encrypt(key, source.plaintext, input.DestinationEncryptionContext);
      return {
        CiphertextBlob: blob.toString('base64'),
        SourceKeyId: keyArn(source.key.id),
        KeyId: keyArn(key.id),
        SourceEncryptionAlgorithm: algorithm,
        DestinationEncryptionAlgorithm: algorithm,
      };
    },
    GenerateDataKey: (input) => dataKey(input, 'GenerateDataKey'),
    GenerateDataKeyWithoutPlaintext(input) {
      const { Plaintext: _, ...rest } = dataKey(input, 'GenerateDataKeyWithoutPlaintext');
      return rest;
    },
    GenerateMac(input) {
      const { key, value } = mac(input, 'GenerateMac');
      return { KeyId: keyArn(key.id), Mac: value.toString('base64'), MacAlgorithm: input.MacAlgorithm };
    },
    VerifyMac(input) {
      const { key, value } = mac(input, 'VerifyMac');
      const given = bytesOf(input.Mac, 'mac', 6144);
      if (given.length !== value.length || !timingSafeEqual(given, value)) {
        throw new AwsError('KMSInvalidMacException', '');
      }
      return { KeyId: keyArn(key.id), MacValid: true, MacAlgorithm: input.MacAlgorithm };
    },
    GenerateRandom({ NumberOfBytes: bytes }) {
      if (!Number.isInteger(bytes) || bytes < 1 || bytes > 1024)
        throw invalid('numberOfBytes', 'Member must be 1 to 1024');
      return { Plaintext: randomBytes(bytes).toString('base64') };
    },
  };

  return {
    service: 'kms',
    async call(operation, input) {
      const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
      if (run === undefined)
        throw new AwsError('UnknownOperationException', `kms ${operation} is not modelled locally`);
      const surplus = Object.keys(input).find((name) => !inputs[operation]!.includes(name));
      if (surplus !== undefined) throw unsupported(`${operation} with ${surplus}`);
      for (const name of ['EncryptionAlgorithm', 'SourceEncryptionAlgorithm', 'DestinationEncryptionAlgorithm']) {
        if ((input[name] ?? algorithm) !== algorithm) {
          throw new AwsError('InvalidKeyUsageException', `${name} ${input[name]} is not valid: use ${algorithm}`);
        }
      }
      return run(input) ?? {};
    },
    async *contents() {
      // Key material is random; what people write is all that could hold a card number.
      for (const { material: _, ...key } of store.keys.values())
        yield { where: `kms ${key.id}`, text: JSON.stringify(key) };
      yield { where: 'kms aliases', text: [...store.aliases.keys()].join('\n') };
    },
    async close() {},
  };
}

function bytesOf(value: unknown, member: string, max: number): Buffer {
  const bytes = Buffer.from(typeof value === 'string' ? value : '', 'base64');
  if (bytes.length === 0) throw invalid(member, 'Member must have length greater than or equal to 1');
  if (bytes.length > max) throw invalid(member, `Member must have length less than or equal to ${max}`);
  return bytes;
}

function unsupported(what: string): AwsError {
  return new AwsError('UnsupportedOperationException', `kms ${what} is not modelled locally`);
}
