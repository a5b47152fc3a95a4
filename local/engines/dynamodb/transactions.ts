import { createHash } from 'node:crypto';
import { AwsError } from '../engine';
import { consumedCapacity, itemBytes, readUnits, sum, type Units, writeUnits } from './capacity';
import { billWrite, type Context, onlyMembers, throttlesWrite } from './context';
import { type Item, validationException } from './dynalite';
import { SchemaMismatch, type Table } from './table';
import { failureMessages, holds, refuseRepeatedKeys, transactionWrite, type Write } from './writes';

type Reason = { Code: string; Message?: string; Item?: Item };
type Kind = 'Put' | 'Update' | 'Delete' | 'ConditionCheck';

const kinds: readonly Kind[] = ['Put', 'Update', 'Delete', 'ConditionCheck'];
const members = new Set(['TransactItems', 'ClientRequestToken', 'ReturnConsumedCapacity']);
const tokenLifetimeMs = 10 * 60_000;
const mostBytes = 4 * 1024 * 1024;

/** The transactions of the last ten minutes by their ClientRequestToken. They do not outlive the process. */
export class Transactions {
  readonly #tokens = new Map<string, { readonly digest: string; doneAt: number | undefined }>();

  /**
   * All actions or none. The items are held for one turn of the event loop, so that requests which meet there conflict
   * as they do at AWS; then everything is read, checked and written in one synchronous step, so no reader sees a part.
   */
  async write(context: Context, input: any): Promise<any> {
    onlyMembers('TransactWriteItems', input, members);
    const count = input.TransactItems?.length;
    if (!(count >= 1 && count <= 100)) {
      const least = count > 100 ? 'less than or equal to 100' : 'greater than or equal to 1';
      throw validationException(
        `1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length ${least}`,
      );
    }
    const token: string | undefined = input.ClientRequestToken;
    if (token === undefined) return commit(context, input);

    const digest = digestOf(input.TransactItems);
    this.#forget(context.now());
    const known = this.#tokens.get(token);
    if (known !== undefined && known.digest !== digest) {
      throw new AwsError(
        'IdempotentParameterMismatchException',
        'DynamoDB rejected the request because you retried a request with a different payload but with an idempotent token that was already used.',
      );
    }
    if (known !== undefined && known.doneAt === undefined) {
      throw new AwsError(
        'TransactionInProgressException',
        'The transaction with the given request token is already in progress.',
      );
    }
    if (known !== undefined) return replay(context, input);

    this.#tokens.set(token, { digest, doneAt: undefined });
    try {
      const answer = await commit(context, input);
      // Set again so that the map stays in the order of doneAt, which is the order of forgetting.
      this.#tokens.delete(token);
      this.#tokens.set(token, { digest, doneAt: context.now() });
      return answer;
    } catch (error) {
      this.#tokens.delete(token);
      throw error;
    }
  }

  #forget(now: number): void {
    for (const [token, { doneAt }] of this.#tokens) {
      if (doneAt === undefined) continue;
      if (doneAt + tokenLifetimeMs > now) return;
      this.#tokens.delete(token);
    }
  }
}

async function commit(context: Context, input: any): Promise<any> {
  const prepared = (input.TransactItems as any[]).map((action) => prepare(context, action));
  const writes = prepared.filter((write): write is Write => !('Code' in write));
  refuseRepeatedKeys(writes, 'Transaction request cannot include multiple operations on one item');
  cancelIfAny(
    prepared.map((write, index): Reason | undefined => {
      if ('Code' in write) return write;
      if (throttlesWrite(context, write.table, write.key, 'TransactWriteItems', index)) {
        return { Code: 'ThrottlingError', Message: 'Throughput exceeds the current capacity of your table or index' };
      }
      if (!write.table.held.has(write.key)) return undefined;
      return { Code: 'TransactionConflict', Message: failureMessages.TransactionConflict };
    }),
  );

  for (const { table, key } of writes) table.held.add(key);
  try {
    await new Promise((turn) => setImmediate(turn));
    return execute(context, input, writes);
  } finally {
    for (const { table, key } of writes) table.held.delete(key);
  }
}

function prepare(context: Context, action: any): Write | Reason {
  const [kind, ...others] = kinds.filter((candidate) => action[candidate] != null);
  if (kind === undefined || others.length > 0) {
    throw validationException('TransactItems can only contain one of Check, Put, Update or Delete');
  }
  try {
    return transactionWrite(context, kind, action[kind]);
  } catch (error) {
    if (error instanceof SchemaMismatch) return { Code: 'ValidationError', Message: error.message };
    throw error;
  }
}

function execute(context: Context, input: any, writes: readonly Write[]): any {
  const olds = writes.map(({ table, key }) => table.get(key));
  const nexts: (Item | undefined)[] = [];
  const reasons = writes.map((write, index): Reason | undefined => {
    const old = olds[index];
    if (!holds(write, old)) {
      const item = write.returnOldOnFailure && old ? { Item: old } : {};
      return { Code: 'ConditionalCheckFailed', Message: failureMessages.ConditionalCheckFailed, ...item };
    }
    try {
      nexts[index] = write.next(old);
      return undefined;
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      return { Code: 'ValidationError', Message: error.message };
    }
  });
  if (reasons.some((reason) => reason !== undefined)) {
    // A transaction is paid for when it is prepared, so also when it is then cancelled; without the indexes it did not write.
    bill(
      context,
      writes.map((write, index) => ({ write, units: { table: writeUnits(olds[index]), indexes: {} } })),
    );
    cancelIfAny(reasons);
  }
  const bytes = nexts.reduce((sum, item) => sum + (item === undefined ? 0 : itemBytes(item)), 0);
  if (bytes > mostBytes) throw validationException(`transaction of ${bytes} bytes is too large: at most ${mostBytes}`);

  const used = writes.map((write, index) => {
    const old = olds[index];
    const units = write.check
      ? { table: writeUnits(old), indexes: {} }
      : write.table.write(write.key, old, nexts[index]);
    return { write, units };
  });
  return answer(input, bill(context, used), 'WriteCapacityUnits');
}

function cancelIfAny(reasons: readonly (Reason | undefined)[]): void {
  if (reasons.every((reason) => reason === undefined)) return;
  const all = reasons.map((reason) => reason ?? { Code: 'None' });
  throw new AwsError(
    'TransactionCanceledException',
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${all.map(({ Code }) => Code).join(', ')}]`,
    400,
    { CancellationReasons: all },
  );
}

/** Reports two units for one, once for preparing and once for committing; answers the sums by table. */
function bill(context: Context, parts: readonly { readonly write: Write; readonly units: Units }[]): Map<Table, Units> {
  const byTable = new Map<Table, Units[]>();
  for (const { write, units } of parts) {
    const doubled: Units = {
      table: 2 * units.table,
      indexes: Object.fromEntries(Object.entries(units.indexes).map(([name, used]) => [name, 2 * used])),
    };
    const list = byTable.get(write.table) ?? [];
    byTable.set(write.table, list);
    list.push(doubled);
    billWrite(context, write.table, write.key, doubled);
  }
  return new Map([...byTable].map(([table, list]) => [table, sum(list)]));
}

/** A request with a token that has succeeded answers again without writing, at the price of reading the items. */
function replay(context: Context, input: any): any {
  const byTable = new Map<Table, Units>();
  for (const action of input.TransactItems) {
    const write = prepare(context, action);
    if ('Code' in write) continue;
    const units = 2 * readUnits(write.table.get(write.key), true);
    context.consumed(write.table.name, 'read', units);
    byTable.set(write.table, { table: (byTable.get(write.table)?.table ?? 0) + units, indexes: {} });
  }
  return answer(input, byTable, 'ReadCapacityUnits');
}

function answer(input: any, units: Map<Table, Units>, member: 'WriteCapacityUnits' | 'ReadCapacityUnits'): any {
  const asked = input.ReturnConsumedCapacity;
  if (asked !== 'TOTAL' && asked !== 'INDEXES') return {};
  const capacities = [...units].map(([table, used]) => {
    const capacity = consumedCapacity(asked, table.name, used);
    return { ...capacity, [member]: capacity.CapacityUnits };
  });
  return { ConsumedCapacity: capacities };
}

function digestOf(actions: unknown): string {
  return createHash('sha1').update(JSON.stringify(actions)).digest('base64');
}
