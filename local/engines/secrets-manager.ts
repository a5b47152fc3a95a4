import { randomInt, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { AwsError, type Engine, localAccount, localRegion } from './engine';
import { generateSecretString } from './secrets-manager-passwords';

interface SecretVersion {
  readonly id: string;
  readonly created: number;
  readonly value: { readonly SecretString?: string; readonly SecretBinary?: string };
  stages: string[];
}

interface Secret {
  readonly name: string;
  readonly arn: string;
  readonly created: number;
  readonly tags: readonly unknown[];
  description?: string;
  kmsKeyId?: string;
  changed: number;
  versions: SecretVersion[];
}

/** The members of each request that are modelled; any other is refused. */
const inputs: Readonly<Record<string, readonly string[]>> = {
  CreateSecret: [
    'Name',
    'Description',
    'KmsKeyId',
    'SecretString',
    'SecretBinary',
    'ClientRequestToken',
    'Tags',
    // Not of the API but of CloudFormation's AWS::SecretsManager::Secret, which provisioning passes on.
    'GenerateSecretString',
  ],
  GetSecretValue: ['SecretId', 'VersionId', 'VersionStage'],
  PutSecretValue: ['SecretId', 'SecretString', 'SecretBinary', 'ClientRequestToken', 'VersionStages'],
  UpdateSecret: ['SecretId', 'Description', 'KmsKeyId', 'SecretString', 'SecretBinary', 'ClientRequestToken'],
  DescribeSecret: ['SecretId'],
};

const current = 'AWSCURRENT';
const previous = 'AWSPREVIOUS';

/** Secrets Manager in a file that only its owner may read (or in memory). Values are not encrypted under their KMS key. */
export async function openSecretsManager({ directory }: { readonly directory?: string } = {}): Promise<Engine> {
  const file = directory === undefined ? undefined : path.join(directory, 'secrets.json');
  const stored: Secret[] = file !== undefined && fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : [];
  const secrets = new Map(stored.map((secret) => [secret.name, secret]));

  function save(): void {
    if (file === undefined) return;
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    fs.writeFileSync(`${file}.new`, JSON.stringify([...secrets.values()]), { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
  }

  /** By name, by ARN, or by ARN without its random end. */
  function find(id: unknown): Secret {
    const found =
      secrets.get(String(id)) ?? [...secrets.values()].find(({ arn }) => arn === id || arn.slice(0, -7) === id);
    if (found === undefined) throw notFound("Secrets Manager can't find the specified secret.");
    return found;
  }

  /** Adds a version under its token. Answers the id; the same token with the same value changes nothing. */
  function addVersion(secret: Secret, input: any, stages: readonly string[]): string {
    const value = secretValueOf(input);
    const id = tokenOf(input);
    const existing = secret.versions.find((version) => version.id === id);
    if (existing !== undefined) {
      if (JSON.stringify(existing.value) === JSON.stringify(value)) return id;
      const message = `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret ${secret.arn}.`;
      throw new AwsError('ResourceExistsException', message);
    }
    // The first version is the current one whatever it is called.
    const wanted = secret.versions.length === 0 ? [...new Set([...stages, current])] : [...stages];
    const replaced = secret.versions.find((version) => version.stages.includes(current));
    for (const version of secret.versions) {
      const moved = wanted.includes(current) ? [...wanted, previous] : wanted;
      version.stages = version.stages.filter((stage) => !moved.includes(stage));
    }
    if (wanted.includes(current)) replaced?.stages.push(previous);
    secret.versions.push({ id, created: Date.now() / 1000, value, stages: wanted });
    secret.changed = Date.now() / 1000;
    return id;
  }

  const operations: Record<string, (input: any) => object> = {
    CreateSecret(input) {
      const { Name, Description, KmsKeyId, Tags = [], GenerateSecretString: generate } = input;
      if (!/^[\w/+=.@!-]{1,512}$/.test(String(Name))) {
        throw new AwsError(
          'ValidationException',
          'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
        );
      }
      const made = generate === undefined ? input : { ...input, SecretString: generateSecretString(generate) };
      const existing = secrets.get(Name);
      if (existing !== undefined) {
        // A retry of the same creation; anything else must not overwrite.
        const same = existing.versions.find(({ id }) => id === input.ClientRequestToken);
        if (same !== undefined && JSON.stringify(same.value) === JSON.stringify(secretValueOf(made))) {
          return { ARN: existing.arn, Name, VersionId: same.id };
        }
        const message = `The operation failed because the secret ${Name} already exists.`;
        throw new AwsError('ResourceExistsException', message);
      }
      const now = Date.now() / 1000;
      const secret: Secret = { name: Name, arn: arnOf(Name), created: now, changed: now, tags: Tags, versions: [] };
      if (Description !== undefined) secret.description = Description;
      if (KmsKeyId !== undefined) secret.kmsKeyId = KmsKeyId;
      const VersionId = hasValue(made) ? addVersion(secret, made, [current]) : undefined;
      secrets.set(Name, secret);
      save();
      return { ARN: secret.arn, Name, ...(VersionId === undefined ? {} : { VersionId }) };
    },

    GetSecretValue({ SecretId, VersionId, VersionStage }) {
      const secret = find(SecretId);
      const stage = VersionStage ?? (VersionId === undefined ? current : undefined);
      const version = secret.versions.find(
        ({ id, stages }) =>
          (VersionId === undefined || id === VersionId) && (stage === undefined || stages.includes(stage)),
      );
      if (version === undefined) {
        const which = VersionId === undefined ? `staging label: ${stage}` : `VersionId: ${VersionId}`;
        throw notFound(`Secrets Manager can't find the specified secret value for ${which}`);
      }
      return {
        ARN: secret.arn,
        Name: secret.name,
        VersionId: version.id,
        VersionStages: version.stages,
        CreatedDate: version.created,
        ...version.value,
      };
    },

    PutSecretValue(input) {
      const secret = find(input.SecretId);
      const VersionId = addVersion(secret, input, input.VersionStages ?? [current]);
      save();
      const { stages } = secret.versions.find(({ id }) => id === VersionId)!;
      return { ARN: secret.arn, Name: secret.name, VersionId, VersionStages: stages };
    },

    UpdateSecret(input) {
      const secret = find(input.SecretId);
      const VersionId = hasValue(input) ? addVersion(secret, input, [current]) : undefined;
      if (input.Description !== undefined) secret.description = input.Description;
      if (input.KmsKeyId !== undefined) secret.kmsKeyId = input.KmsKeyId;
      secret.changed = Date.now() / 1000;
      save();
      return { ARN: secret.arn, Name: secret.name, ...(VersionId === undefined ? {} : { VersionId }) };
    },

    DescribeSecret({ SecretId }) {
      const secret = find(SecretId);
      const staged = secret.versions.filter(({ stages }) => stages.length > 0);
      return {
        ARN: secret.arn,
        Name: secret.name,
        CreatedDate: secret.created,
        LastChangedDate: secret.changed,
        Tags: secret.tags,
        VersionIdsToStages: Object.fromEntries(staged.map(({ id, stages }) => [id, stages])),
        ...(secret.description === undefined ? {} : { Description: secret.description }),
        ...(secret.kmsKeyId === undefined ? {} : { KmsKeyId: secret.kmsKeyId }),
      };
    },
  };

  return {
    service: 'secretsmanager',
    async call(operation, input) {
      const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
      if (run === undefined) {
        throw new AwsError('UnknownOperationException', `secretsmanager ${operation} is not modelled locally`);
      }
      const surplus = Object.keys(input).find((name) => !inputs[operation]!.includes(name));
      if (surplus !== undefined) {
        throw new AwsError(
          'InvalidParameterException',
          `secretsmanager ${operation} with ${surplus} is not modelled locally`,
        );
      }
      return run(input);
    },
    async *contents() {
      for (const secret of secrets.values()) {
        const binaries = secret.versions.map(({ value }) => Buffer.from(value.SecretBinary ?? '', 'base64').toString());
        yield { where: `secret ${secret.name}`, text: [JSON.stringify(secret), ...binaries].join('\n') };
      }
    },
    async close() {},
  };
}

const hasValue = (input: any) => input.SecretString !== undefined || input.SecretBinary !== undefined;

function secretValueOf({ SecretString, SecretBinary }: any): SecretVersion['value'] {
  if ((SecretString === undefined) === (SecretBinary === undefined)) {
    throw new AwsError('InvalidParameterException', 'You must provide either SecretString or SecretBinary.');
  }
  const size = Buffer.byteLength(SecretString ?? SecretBinary);
  if (size > 65_536)
    throw new AwsError('ValidationException', `the secret has ${size} bytes: at most 65536 are allowed`);
  return SecretString === undefined ? { SecretBinary } : { SecretString };
}

function tokenOf({ ClientRequestToken: token }: any): string {
  if (token === undefined) return randomUUID();
  if (String(token).length >= 32 && String(token).length <= 64) return token;
  throw new AwsError(
    'ValidationException',
    `ClientRequestToken has ${String(token).length} characters: 32 to 64 are allowed`,
  );
}

/** The end is random so that a secret deleted and made again under the same name is another one to policies. */
function arnOf(name: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const end = Array.from({ length: 6 }, () => letters[randomInt(letters.length)]).join('');
  return `arn:aws:secretsmanager:${localRegion}:${localAccount}:secret:${name}-${end}`;
}

function notFound(message: string): AwsError {
  return new AwsError('ResourceNotFoundException', message);
}
