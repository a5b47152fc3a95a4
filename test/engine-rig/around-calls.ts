import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';

/** A client that makes each of its calls within `around`, which is told the command's name and has to send it. */
export function aroundCalls<Answer>(
  config: DynamoDBClientConfig,
  around: (commandName: string | undefined, send: () => Promise<Answer>) => Promise<Answer>,
): DynamoDBClient {
  const client = new DynamoDBClient(config);
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) =>
        around(commandName, () => next(args) as Promise<any>) as Promise<any>,
    { step: 'initialize' },
  );
  return client;
}
