import { join } from 'node:path';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { type Sale, saleKey, tenderDifferenceOf } from '../../base/domain/sale';
import { dynamoDbClient, kinesisClient, kmsClient } from '../../base/runtime/clients';
import { optionalEnv, requireEnv } from '../../base/runtime/env';
import { countMetrics, log } from '../../base/runtime/log';
import { writeRecords } from '../../base/runtime/stream-writer';
import { describeFailure } from '../failure';
import { Keyring, KeysetUnavailable } from '../keyring';
import { VaultTable } from '../vault-table';
import type { CheckedSale } from './admission';
import { answerOf, type Result, type RetryCode, refuse, retry, unavailable } from './answer';
import { BinTable } from './bin-table';
import { CardVault } from './card-vault';
import { isTooLarge, readEnvelope } from './envelope';
import { checkEvent, type DoorRules } from './event-check';
import { Rejection } from './rejection';
import { tokenizedSale } from './tokenized-sale';
import { shownText } from './wording';

const dayMs = 86_400_000;
const dynamoDb = dynamoDbClient();
const kinesis = kinesisClient();
const streamName = requireEnv('SALES_INGEST_STREAM_NAME');
const tableName = requireEnv('VAULT_TABLE_NAME');
const keyring = new Keyring({
  dynamoDb,
  kms: kmsClient(),
  tableName,
  wrappingKeys: { index: requireEnv('INDEX_WRAPPING_KEY_ARN'), data: requireEnv('DATA_WRAPPING_KEY_ARN') },
  refreshMs: Number(requireEnv('KEYSET_REFRESH_SECONDS')) * 1_000,
});
// About 250 bytes a card.
const vault = new CardVault(new VaultTable(dynamoDb, tableName), keyring, { cachedCards: 50_000 });
// Beside the bundle. Where the source is run there is none.
const binTable = BinTable.read(typeof __dirname === 'undefined' ? undefined : join(__dirname, 'bin-table.csv'));
const maximumAgeDays = optionalEnv('MAXIMUM_SALE_AGE_DAYS');
const rules: DoorRules = {
  maximumAgeMs: maximumAgeDays === undefined ? undefined : Number(maximumAgeDays) * dayMs,
  cardLikeIdentifiers: new Set(optionalEnv('CARD_LIKE_IDENTIFIERS')?.split(',')),
};
// What it takes to answer; the function's own timeout would leave the caller without one.
const reserveMs = 2_000;
// A third of a second: the sender waits, and may come again.
const writeAttempts = 4;

/**
 * Takes sales in: checks each, replaces its card numbers by tokens, and writes it to the stream. The answer says, per
 * event, whether it is durable (`accepted`), never will be (`rejected`) or is to be sent again (`retry`).
 *
 * On repeat: a card keeps its token, and the sale is written again for dedup to stop; so a sender that got no answer
 * sends again. On bad data: the answer says field, got and allowed; nothing of it is kept or logged. On failure: events
 * that are not known to be durable are answered `retry`; a crash in between leaves at most an unused token.
 */
export async function handler(event: APIGatewayProxyEvent, context: Context): Promise<APIGatewayProxyResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new AbortController();
  const deadline = new Promise<APIGatewayProxyResult>((resolve) => {
    timer = setTimeout(
      () => {
        log.error('ingest ran out of time');
        late.abort();
        resolve(unavailable('timeout'));
      },
      Math.max(0, context.getRemainingTimeInMillis() - reserveMs),
    );
    timer.unref();
  });
  try {
    return await Promise.race([takeIn(event, late.signal), deadline]);
  } catch (error) {
    // Not thrown on: the runtime would log the message, and a message can quote its input.
    log.error('ingest failed', describeFailure(error));
    return unavailable('internal-error');
  } finally {
    clearTimeout(timer);
  }
}

async function takeIn(
  { body, isBase64Encoded }: APIGatewayProxyEvent,
  late: AbortSignal,
): Promise<APIGatewayProxyResult> {
  const envelope = readEnvelope(body, isBase64Encoded);
  if ('statusCode' in envelope) return refuse(envelope);
  const now = new Date();
  const decisions = envelope.events.map((raw): CheckedSale | Rejection =>
    envelope.measure && isTooLarge(raw)
      ? new Rejection('too-large', 'event: got more than 262144 bytes of JSON, allowed: at most 262144')
      : checkEvent(raw, rules, now.getTime()),
  );
  const checked = decisions.filter((decision): decision is CheckedSale => !(decision instanceof Rejection));
  const { sales, refused } = await tokenize(checked, now.toISOString());
  // The container sleeps once it has answered: woken hours later, it must not go on under a keyset of the past.
  late.throwIfAborted();
  for (const [decision, code] of await write(sales)) refused.set(decision, code);

  const results = decisions.map((decision, index) => resultOf(decision, refused, envelope.events[index]));
  count(results, sales, checked);
  return answerOf(results);
}

type Retries = Map<CheckedSale, RetryCode>;

async function tokenize(checked: readonly CheckedSale[], acceptedAt: string) {
  const sales = new Map<CheckedSale, Sale>();
  const refused: Retries = new Map();
  const cards = checked.flatMap(({ sale }) => sale.tenders.flatMap(({ card }) => card ?? []));
  let tokens: Awaited<ReturnType<CardVault['tokensOf']>> = [];
  try {
    tokens = await vault.tokensOf(cards);
  } catch (error) {
    log.error(error instanceof KeysetUnavailable ? 'keyset unavailable' : 'vault failed', describeFailure(error));
  }
  const tokenOf = new Map(cards.map((card, index) => [card, tokens[index]]));
  for (const each of checked) {
    // Sales without cards need no vault, and go on when it is down.
    const ready = each.sale.tenders.every(({ card }) => card === undefined || tokenOf.get(card) !== undefined);
    if (ready)
      sales.set(
        each,
        tokenizedSale(each, (card) => tokenOf.get(card)!, binTable, acceptedAt),
      );
    else refused.set(each, 'vault-unavailable');
  }
  return { sales, refused };
}

async function write(sales: ReadonlyMap<CheckedSale, Sale>): Promise<Retries> {
  const decisions = [...sales.keys()];
  if (decisions.length === 0) return new Map();
  const records = [...sales.values()].map((sale) => ({ partitionKey: saleKey(sale), text: JSON.stringify(sale) }));
  try {
    const refused = await writeRecords(kinesis, streamName, records, writeAttempts);
    return new Map([...refused].map((index) => [decisions[index]!, 'stream-throttled']));
  } catch (error) {
    log.error('stream failed', describeFailure(error));
    const throttled = error instanceof Error && /Throttl|ProvisionedThroughput|LimitExceeded/.test(error.name);
    return new Map(decisions.map((decision) => [decision, throttled ? 'stream-throttled' : 'stream-unavailable']));
  }
}

function resultOf(decision: CheckedSale | Rejection, refused: Retries, raw: unknown): Result {
  if (decision instanceof Rejection) {
    const { source, transactionId } = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>;
    return {
      ...(typeof source === 'string' ? { source: shownText(source, 64) } : undefined),
      ...(typeof transactionId === 'string' ? { transactionId: shownText(transactionId, 64) } : undefined),
      status: 'rejected',
      code: decision.code,
      message: decision.message,
      warnings: [],
    };
  }
  const { source, transactionId } = decision.sale;
  const code = refused.get(decision);
  const outcome = code === undefined ? ({ status: 'accepted' } as const) : retry(code);
  return { source, transactionId, ...outcome, warnings: decision.warnings };
}

function count(
  results: readonly Result[],
  sales: ReadonlyMap<CheckedSale, Sale>,
  checked: readonly CheckedSale[],
): void {
  const having = (status: Result['status']) => results.filter((result) => result.status === status).length;
  const sum = (each: (decision: CheckedSale) => number) => checked.reduce((total, one) => total + each(one), 0);
  countMetrics({
    Accepted: having('accepted'),
    Rejected: having('rejected'),
    Retried: having('retry'),
    Warnings: results.reduce((total, { warnings }) => total + warnings.length, 0),
    TenderDifferences: [...sales.values()].filter((sale) => tenderDifferenceOf(sale) !== 0).length,
    SecurityCodesRemoved: sum(({ securityCodesRemoved }) => securityCodesRemoved),
    CardNumbersMasked: sum(({ cardNumbersMasked }) => cardNumbersMasked),
  });
}
