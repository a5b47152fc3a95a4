import { type DynamoDBClient, GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { Context } from 'aws-lambda';
import { dynamoDbClient, kmsClient } from '../../base/runtime/clients';
import { requireEnv } from '../../base/runtime/env';
import { countMetrics, log } from '../../base/runtime/log';
import { unseal } from '../card-sealing';
import { asCardToken, type CardToken } from '../card-token';
import { describeFailure } from '../failure';
import { Keyring } from '../keyring';
import { readRequest } from './request';

const dynamoDb: DynamoDBClient = dynamoDbClient();
const tableName = requireEnv('VAULT_TABLE_NAME');
const tokenIndexName = requireEnv('TOKEN_INDEX_NAME');
const keyring = new Keyring({
  dynamoDb,
  kms: kmsClient(),
  tableName,
  wrappingKeys: { data: requireEnv('DATA_WRAPPING_KEY_ARN') },
  refreshMs: Number(requireEnv('KEYSET_REFRESH_SECONDS')) * 1_000,
});

export type DetokenizeAnswer =
  | { readonly status: 'found'; readonly number: string }
  | { readonly status: 'unknown-token' | 'invalid'; readonly message: string };

/**
 * Gives the card number back for a token: `{token, requestedBy, purpose}`. Reached by IAM only (lambda:InvokeFunction).
 * Every call leaves one line: who says to ask, for which token, why, and what came of it; CloudTrail's entry of the same
 * request id says which role it was.
 *
 * On repeat: the same answer, and another line. On bad data: the answer says what is missing. On failure: a line, and the
 * error without its message.
 */
export async function handler(event: unknown, context: Context): Promise<DetokenizeAnswer> {
  const request = readRequest(event);
  const audit = (result: string) => {
    const { token, requestedBy, purpose } = request;
    log.info('detokenize', { token, requestedBy, purpose, result, requestId: context.awsRequestId });
    countMetrics({ Detokenized: result === 'found' ? 1 : 0, DetokenizeFailed: result === 'found' ? 0 : 1 });
  };
  if ('message' in request) {
    audit('invalid');
    return { status: 'invalid', message: request.message };
  }
  try {
    const number = await numberOf(request.token);
    audit(number === undefined ? 'unknown-token' : 'found');
    return number === undefined
      ? { status: 'unknown-token', message: 'the vault holds no card of this token' }
      : { status: 'found', number };
  } catch (error) {
    audit('failed');
    log.error('detokenize failed', describeFailure(error));
    throw new Error('the vault did not answer');
  }
}

async function numberOf(token: CardToken): Promise<string | undefined> {
  const { Items } = await dynamoDb.send(
    new QueryCommand({
      TableName: tableName,
      IndexName: tokenIndexName,
      KeyConditionExpression: '#token = :token',
      ExpressionAttributeNames: { '#token': 'token' },
      ExpressionAttributeValues: { ':token': { S: token } },
      // While the index key is changed a card has two items: either tells its number.
      Limit: 2,
    }),
  );
  for (const { pk } of Items ?? []) {
    const { Item } = await dynamoDb.send(
      new GetItemCommand({ TableName: tableName, Key: { pk: pk! }, ConsistentRead: true }),
    );
    if (Item === undefined || asCardToken(Item.token?.S) !== token) continue;
    const keyset = await keyring.keyset();
    return unseal(Item.sealed!.B!, token, await keyring.key(keyset, 'data', Number(Item.data!.N)));
  }
  return undefined;
}
