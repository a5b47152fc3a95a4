import { AwsError } from '../engine';
import { total, type Units } from './capacity';
import { notModelled, validationException } from './dynalite';
import type { Journal } from './journal';
import { Table, type TableSettings } from './table';
import type { TableStream } from './table-stream';

/** What every operation works on. */
export interface Context {
  readonly tables: Tables;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Tells what an item operation is billed. */
  readonly consumed: (tableName: string, kind: 'read' | 'write', units: number) => void;
  /** Whether a test wants this item operation throttled; `index` counts statements, keys or actions of a request. */
  readonly throttled: (tableName: string, operation: string, index?: number) => boolean;
}

export class Tables {
  readonly #tables = new Map<string, Table>();

  constructor(
    private readonly journal: Journal | undefined,
    private readonly now: () => number,
    private readonly limited: boolean,
  ) {}

  get(name: unknown): Table {
    const table = this.find(name);
    if (table === undefined) throw new AwsError('ResourceNotFoundException', 'Requested resource not found');
    return table;
  }

  find(name: unknown): Table | undefined {
    if (typeof name !== 'string') {
      throw validationException(
        "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null",
      );
    }
    return this.#tables.get(name);
  }

  all(): Table[] {
    return [...this.#tables.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** A table's stream by its ARN. */
  stream(arn: unknown): TableStream {
    const [, name] = String(arn).split('/');
    const stream = this.#tables.get(name ?? '')?.stream;
    if (stream?.arn === arn) return stream!;
    throw new AwsError('ResourceNotFoundException', `Requested resource not found: Stream: ${arn} not found`);
  }

  add(settings: TableSettings): Table {
    const table = new Table(settings, this.journal, this.now, this.limited);
    this.#tables.set(table.name, table);
    return table;
  }

  delete(table: Table): void {
    table.drop();
    this.#tables.delete(table.name);
  }

  /** Puts every change so far on disk, where there is one. */
  written(): void {
    this.journal?.written();
  }
}

/** Refuses members that the operation would otherwise ignore in silence. */
export function onlyMembers(operation: string, input: any, members: ReadonlySet<string>): void {
  for (const member in input) {
    if (!members.has(member) && input[member] != null) throw notModelled(`parameter ${member} of ${operation}`);
  }
}

/** Books a write of the item under this storage key. */
export function billWrite(context: Context, table: Table, key: string, units: Units): void {
  context.consumed(table.name, 'write', total(units));
  table.limits?.take(key, units.table);
}

/** Whether a write of the item under this storage key is throttled: by its partition's limit, or because a test wants it. */
export function throttlesWrite(
  context: Context,
  table: Table,
  key: string,
  operation: string,
  index?: number,
): boolean {
  return context.throttled(table.name, operation, index) || (table.limits?.exhausted(key) ?? false);
}

export function throttlingException(fields: Readonly<Record<string, unknown>> = {}): AwsError {
  return new AwsError(
    'ThrottlingException',
    'Throughput exceeds the current capacity of your table or index. Please retry the request.',
    400,
    fields,
  );
}
