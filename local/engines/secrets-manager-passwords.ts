import { randomInt } from 'node:crypto';
import { AwsError } from './engine';

/** The `GenerateSecretString` property of AWS::SecretsManager::Secret. */
export interface GenerateSecretString {
  readonly ExcludeCharacters?: string;
  readonly ExcludeLowercase?: boolean;
  readonly ExcludeNumbers?: boolean;
  readonly ExcludePunctuation?: boolean;
  readonly ExcludeUppercase?: boolean;
  readonly IncludeSpace?: boolean;
  readonly RequireEachIncludedType?: boolean;
  readonly PasswordLength?: number;
  readonly SecretStringTemplate?: string;
  readonly GenerateStringKey?: string;
}

const properties = [
  'ExcludeCharacters',
  'ExcludeLowercase',
  'ExcludeNumbers',
  'ExcludePunctuation',
  'ExcludeUppercase',
  'IncludeSpace',
  'RequireEachIncludedType',
  'PasswordLength',
  'SecretStringTemplate',
  'GenerateStringKey',
];

/** Makes a password as CloudFormation asks for it: bare, or as one more field of the template. */
export function generateSecretString(specification: GenerateSecretString): string {
  const surplus = Object.keys(specification).find((name) => !properties.includes(name));
  if (surplus !== undefined) {
    throw new AwsError('InvalidParameterException', `GenerateSecretString with ${surplus} is not modelled locally`);
  }
  const { SecretStringTemplate: template, GenerateStringKey: key } = specification;
  if ((template === undefined) !== (key === undefined)) {
    throw new AwsError('InvalidParameterException', 'SecretStringTemplate and GenerateStringKey go together: got one');
  }
  const password = generatePassword(specification);
  if (template === undefined || key === undefined) return password;
  return JSON.stringify({ ...JSON.parse(template), [key]: password });
}

function generatePassword(specification: GenerateSecretString): string {
  const { PasswordLength: length = 32, ExcludeCharacters: excluded = '' } = specification;
  if (!Number.isInteger(length) || length < 1 || length > 4096) {
    throw new AwsError('InvalidParameterException', `PasswordLength ${length} is out of range: 1 to 4096`);
  }
  const types = [
    specification.ExcludeLowercase ? '' : 'abcdefghijklmnopqrstuvwxyz',
    specification.ExcludeUppercase ? '' : 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
    specification.ExcludeNumbers ? '' : '0123456789',
    specification.ExcludePunctuation ? '' : '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
    specification.IncludeSpace ? ' ' : '',
  ]
    .map((type) => [...type].filter((character) => !excluded.includes(character)))
    .filter((type) => type.length > 0);
  const all = types.flat();
  const required = specification.RequireEachIncludedType === false ? [] : types;
  if (all.length === 0 || required.length > length) {
    throw new AwsError('InvalidParameterException', 'the exclusions leave too few characters for a password');
  }
  const characters = required.map(oneOf);
  while (characters.length < length) characters.push(oneOf(all));
  // Shuffled, so that the required ones do not always come first.
  for (let i = characters.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [characters[i], characters[j]] = [characters[j]!, characters[i]!];
  }
  return characters.join('');
}

function oneOf(characters: readonly string[]): string {
  return characters[randomInt(characters.length)]!;
}
