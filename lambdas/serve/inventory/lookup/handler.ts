import { readStockPolicy } from '../../../base/domain/stock-policy';
import { dynamoDbClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { lookupApi } from '../../lookup-api';
import { StockClient } from '../client';
import { readQuery } from './request';

const stock = new StockClient({
  dynamoDb: dynamoDbClient(),
  tableName: requireEnv('POSITIONS_TABLE_NAME'),
  policy: readStockPolicy(requireEnv('STOCK_POLICY')),
});

/**
 * Answers what there is of SKUs at locations, what of it can be promised, and how old that knowledge is:
 * `GET /v1/stock?sku=A&sku=B&location=L1`.
 *
 * On repeat: reads, and changes nothing. On bad data: 400, and the answer says what was got and what is allowed. On
 * failure: 503 with Retry-After. What could not be read is never guessed.
 */
export const handler = lookupApi({
  read: readQuery,
  lookup: (request) => stock.lookup(request),
  source: 'the positions table',
});
