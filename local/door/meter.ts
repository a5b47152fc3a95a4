import { AsyncLocalStorage } from 'node:async_hooks';
import type { Principal } from './principal';

/** Billed units, by what they are billed for. */
export interface Billed {
  /** By table. */
  readonly dynamodb: Record<string, { readUnits: number; writeUnits: number }>;
  readonly kms: { requests: number };
  /** By stream. */
  readonly kinesis: Record<string, { kilobytesIn: number; kilobytesOut: number }>;
  /** By bus. */
  readonly eventBridge: Record<string, { events: number }>;
  /** By stream. */
  readonly firehose: Record<string, { kilobytesIn: number }>;
  /** By workgroup. */
  readonly athena: Record<string, { megabytesScanned: number }>;
}

// The least that a query is billed for.
const leastMegabytesScanned = 10;

/** Calls by `service:operation`. */
export type Calls = Record<string, number>;

/** Everything metered since the last reset, as plain JSON. */
export interface MeterSnapshot {
  readonly calls: {
    /** All calls of function code. */
    readonly functions: Calls;
    /** Calls of everyone else: event sources, services acting for others, people, tests. */
    readonly others: Calls;
    readonly byFunction: Record<string, Calls>;
  };
  readonly billed: Billed;
  readonly billedByFunction: Record<string, Billed>;
}

/** Counts every call and every billed unit, by the function that caused it. */
export class Meter {
  readonly #caller = new AsyncLocalStorage<string | undefined>();
  #functions = new Map<string, Map<string, number>>();
  #others = new Map<string, number>();
  #billed = nothingBilled();
  #billedByFunction = new Map<string, Billed>();

  /** Counts a call and runs it, so that what it consumes is booked on its caller. */
  run<T>({ functionName }: Principal, call: string, work: () => Promise<T>): Promise<T> {
    let calls = this.#others;
    if (functionName !== undefined) {
      calls = this.#functions.get(functionName) ?? new Map();
      this.#functions.set(functionName, calls);
    }
    calls.set(call, (calls.get(call) ?? 0) + 1);
    // Every use of a KMS key is billed, whatever comes of it.
    return this.#caller.run(functionName, () => {
      if (call.startsWith('kms:')) this.#add((billed) => (billed.kms.requests += 1));
      return work();
    });
  }

  /** The callback for the DynamoDB engine. */
  readonly dynamodb = (table: string, kind: 'read' | 'write', units: number): void =>
    this.#add(({ dynamodb }) => {
      dynamodb[table] ??= { readUnits: 0, writeUnits: 0 };
      dynamodb[table][kind === 'read' ? 'readUnits' : 'writeUnits'] += units;
    });

  /** The callback for the Kinesis engine. */
  readonly kinesis = (stream: string, kind: 'in' | 'out', kilobytes: number): void =>
    this.#add(({ kinesis }) => {
      kinesis[stream] ??= { kilobytesIn: 0, kilobytesOut: 0 };
      kinesis[stream][kind === 'in' ? 'kilobytesIn' : 'kilobytesOut'] += kilobytes;
    });

  /** The callback for the EventBridge engine. */
  readonly eventBridge = (bus: string, events: number): void =>
    this.#add(({ eventBridge }) => {
      eventBridge[bus] ??= { events: 0 };
      eventBridge[bus].events += events;
    });

  /** The callback for the Firehose engine. */
  readonly firehose = (stream: string, kilobytes: number): void =>
    this.#add(({ firehose }) => {
      firehose[stream] ??= { kilobytesIn: 0 };
      firehose[stream].kilobytesIn += kilobytes;
    });

  /** The callback for the Athena engine: queries are billed by the megabyte, and none less than ten. */
  readonly athena = (workgroup: string, bytes: number): void =>
    this.#add(({ athena }) => {
      athena[workgroup] ??= { megabytesScanned: 0 };
      athena[workgroup].megabytesScanned += Math.max(leastMegabytesScanned, Math.ceil(bytes / 1_000_000));
    });

  snapshot(): MeterSnapshot {
    const functions: Calls = {};
    for (const calls of this.#functions.values()) {
      for (const [call, count] of calls) functions[call] = (functions[call] ?? 0) + count;
    }
    const byFunction = Object.fromEntries(
      [...this.#functions].map(([name, calls]) => [name, Object.fromEntries(calls)]),
    );
    return {
      calls: { functions, others: Object.fromEntries(this.#others), byFunction },
      billed: structuredClone(this.#billed),
      billedByFunction: structuredClone(Object.fromEntries(this.#billedByFunction)),
    };
  }

  reset(): void {
    this.#functions = new Map();
    this.#others = new Map();
    this.#billed = nothingBilled();
    this.#billedByFunction = new Map();
  }

  #add(book: (billed: Billed) => void): void {
    book(this.#billed);
    const functionName = this.#caller.getStore();
    if (functionName === undefined) return;
    const billed = this.#billedByFunction.get(functionName) ?? nothingBilled();
    this.#billedByFunction.set(functionName, billed);
    book(billed);
  }
}

function nothingBilled(): Billed {
  return { dynamodb: {}, kms: { requests: 0 }, kinesis: {}, eventBridge: {}, firehose: {}, athena: {} };
}
