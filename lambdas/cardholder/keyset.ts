import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { GenerateDataKeyWithoutPlaintextCommand, type KMSClient } from '@aws-sdk/client-kms';

/** `index` keys find a card's item, `data` keys seal its number. Each purpose has a KMS key of its own. */
export type KeyPurpose = 'index' | 'data';

/**
 * Which keys the vault uses, as one item of the vault table, so that every container sees one state or the next.
 *
 * The index key is changed in phases: in `old` cards are found under `index` only; in `dual` they are
 * settled there and copied to `nextIndex`, which answers; in `new` they are found under `nextIndex` only. Then `nextIndex`
 * becomes `index`, and it is `old` again.
 */
export interface Keyset {
  /** Counts the changes; each is made on condition that it was not made before. */
  readonly revision: number;
  readonly phase: 'old' | 'dual' | 'new';
  /** When the phase began, milliseconds since 1970. */
  readonly sinceMs: number;
  readonly index: number;
  readonly nextIndex?: number;
  /** The version that seals new cards; older ones still open theirs. */
  readonly data: number;
  /** The keys by purpose and version, wrapped by KMS. */
  readonly wrapped: Readonly<Record<KeyPurpose, Readonly<Record<number, Uint8Array>>>>;
}

/** Containers read the keyset again after this long, and stop using what is older than twice that. */
export interface RefreshTimes {
  readonly refreshMs: number;
}

export const staleAfterMs = ({ refreshMs }: RefreshTimes): number => 2 * refreshMs;
/** A phase lasts until no container can be in the one before: two refreshes, and a third for what is under way. */
export const phaseMs = ({ refreshMs }: RefreshTimes): number => 3 * refreshMs;

const keysetKey = { pk: { S: 'keyset' } };

/** Reads the keyset, consistently: its age counts from here. */
export async function readKeyset(dynamoDb: DynamoDBClient, tableName: string): Promise<Keyset | undefined> {
  const { Item } = await dynamoDb.send(
    new GetItemCommand({ TableName: tableName, Key: keysetKey, ConsistentRead: true }),
  );
  if (Item === undefined) return undefined;
  const number = (name: string) => Number(Item[name]?.N);
  return {
    revision: number('revision'),
    phase: Item.phase?.S as Keyset['phase'],
    sinceMs: number('sinceMs'),
    index: number('index'),
    ...(Item.nextIndex === undefined ? {} : { nextIndex: number('nextIndex') }),
    data: number('data'),
    wrapped: { index: versionsOf(Item.indexKeys), data: versionsOf(Item.dataKeys) },
  };
}

/** Writes the next keyset if nobody wrote one meanwhile; false when somebody did. Revision 1 is the first. */
export async function writeKeyset(dynamoDb: DynamoDBClient, tableName: string, keyset: Keyset): Promise<boolean> {
  const { revision, phase, sinceMs, index, nextIndex, data, wrapped } = keyset;
  const first = revision === 1;
  try {
    await dynamoDb.send(
      new PutItemCommand({
        TableName: tableName,
        Item: {
          ...keysetKey,
          revision: { N: String(revision) },
          phase: { S: phase },
          sinceMs: { N: String(sinceMs) },
          index: { N: String(index) },
          ...(nextIndex === undefined ? {} : { nextIndex: { N: String(nextIndex) } }),
          data: { N: String(data) },
          indexKeys: mapOf(wrapped.index),
          dataKeys: mapOf(wrapped.data),
        },
        ConditionExpression: first ? 'attribute_not_exists(#key)' : '#key = :previous',
        ExpressionAttributeNames: { '#key': first ? 'pk' : 'revision' },
        ...(first ? {} : { ExpressionAttributeValues: { ':previous': { N: String(revision - 1) } } }),
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}

/** What a wrapped key is bound to: a key of another purpose, table or version does not open in its place. */
export function encryptionContext(purpose: KeyPurpose, tableName: string, version: number): Record<string, string> {
  return { purpose, table: tableName, version: String(version) };
}

/** A new 256-bit key that nobody has seen: KMS draws it and hands out only the wrapped form. */
export async function newWrappedKey(
  kms: KMSClient,
  { keyArn, purpose, tableName, version }: { keyArn: string; purpose: KeyPurpose; tableName: string; version: number },
): Promise<Uint8Array> {
  const { CiphertextBlob } = await kms.send(
    new GenerateDataKeyWithoutPlaintextCommand({
      KeyId: keyArn,
      KeySpec: 'AES_256',
      EncryptionContext: encryptionContext(purpose, tableName, version),
    }),
  );
  return CiphertextBlob!;
}

function versionsOf(attribute: AttributeValue | undefined): Record<number, Uint8Array> {
  return Object.fromEntries(Object.entries(attribute?.M ?? {}).map(([version, { B }]) => [version, B!]));
}

function mapOf(keys: Readonly<Record<number, Uint8Array>>): AttributeValue.MMember {
  return { M: Object.fromEntries(Object.entries(keys).map(([version, B]) => [version, { B }])) };
}
