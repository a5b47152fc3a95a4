import { dynamoDbClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { lookupApi } from '../../lookup-api';
import { BadgeClient } from '../client';
import { readPolicy } from './policy';
import { readQuery } from './request';

const badges = new BadgeClient({
  dynamoDb: dynamoDbClient(),
  tableName: requireEnv('ONLINE_TABLE_NAME'),
  policy: readPolicy(requireEnv('BADGE_POLICY')),
});

/**
 * Answers which SKUs can be promised for the same day, from which centre, and how old that knowledge is:
 * `GET /v1/badges?sku=A&sku=B&fc=FC1&fc=FC2`, the nearest centre first.
 *
 * On repeat: reads, and changes nothing. On bad data: 400, and the answer says what was got and what is allowed. On
 * failure: 503 with Retry-After. What could not be read is never guessed, so a page without an answer shows no badge.
 */
export const handler = lookupApi({
  read: readQuery,
  lookup: (request) => badges.lookup(request),
  counts: (answers) => ({ Badges: answers.filter(({ badge }) => badge).length }),
  source: 'the online table',
});
