import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { AwsError } from '../../../local/engines/engine';
import type { Invocation } from '../../../local/lambda/function-host';
import { failed, MappingRig, mappingId, partly, type Seen, stream, succeeded, until } from './mapping-rig';

const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5'];

/** What happens to one invocation. `place` says where, as a part of the batch. */
interface Fate {
  readonly kind: 'success' | 'error' | 'throttle' | 'partial' | 'wrong item';
  readonly place: number;
  readonly slow: boolean;
}

type Step =
  | { readonly do: 'put'; readonly keys: readonly number[] }
  | { readonly do: 'split' | 'merge'; readonly which: number }
  | { readonly do: 'crash' }
  | { readonly do: 'refuse'; readonly times: number };

const fate: fc.Arbitrary<Fate> = fc.record({
  kind: fc.constantFrom('success', 'error', 'throttle', 'partial', 'wrong item'),
  place: fc.double({ min: 0, max: 0.999, noNaN: true }),
  slow: fc.boolean(),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      keys: fc.array(fc.nat(keys.length - 1), { minLength: 1, maxLength: 30, size: 'max' }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('split', 'merge'), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const), times: fc.integer({ min: 1, max: 3 }) }) },
);

const rules = fc.record({
  BatchSize: fc.integer({ min: 1, max: 8 }),
  ParallelizationFactor: fc.integer({ min: 1, max: 3 }),
  MaximumRetryAttempts: fc.constantFrom(-1, 0, 2),
  BisectBatchOnFunctionError: fc.boolean(),
  FunctionResponseTypes: fc.constantFrom([], ['ReportBatchItemFailures']),
});

/** Follows every record from put to end, and complains the moment an order is broken. */
class Ledger {
  readonly complaints: string[] = [];
  readonly #put = new Map<string, string[]>();
  readonly #settled = new Set<string>();
  readonly #running = new Set<string>();

  put(key: string): string {
    const texts = this.#put.get(key) ?? [];
    this.#put.set(key, texts);
    texts.push(`${key}-${texts.length}`);
    return texts.at(-1)!;
  }

  begin(records: readonly Seen[]): void {
    for (const [key, texts] of byKey(records)) {
      if (this.#running.has(key)) this.complaints.push(`${key} is in flight twice`);
      this.#running.add(key);
      const all = this.#put.get(key)!;
      const first = all.indexOf(texts[0]!);
      if (texts.some((text, index) => all[first + index] !== text)) this.complaints.push(`out of order: ${texts}`);
      const early = all.slice(0, first).filter((text) => !this.#settled.has(text));
      if (early.length > 0) this.complaints.push(`${texts[0]} came before the end of ${early}`);
    }
  }

  end(records: readonly Seen[], processed: number): void {
    for (const [key] of byKey(records)) this.#running.delete(key);
    for (const { text } of records.slice(0, processed)) this.#settled.add(text);
  }

  hold(records: readonly Seen[]): void {
    for (const { text } of records) this.#settled.add(text);
  }

  get missing(): string[] {
    return [...this.#put.values()].flat().filter((text) => !this.#settled.has(text));
  }
}

function byKey(records: readonly Seen[]): Map<string, string[]> {
  const texts = new Map<string, string[]>();
  for (const { key, text } of records) texts.set(key, [...(texts.get(key) ?? []), text]);
  return texts;
}

/** Splits an open shard in its middle, or merges one with its neighbour; a stream that cannot stays as it is. */
async function reshard(rig: MappingRig, kind: 'split' | 'merge', which: number): Promise<void> {
  const { Shards } = await rig.kinesis.call('ListShards', { StreamName: stream });
  const open = Shards.filter((shard: any) => shard.SequenceNumberRange.EndingSequenceNumber === undefined).sort(
    (a: any, b: any) => (BigInt(a.HashKeyRange.StartingHashKey) < BigInt(b.HashKeyRange.StartingHashKey) ? -1 : 1),
  );
  const shard = open[which % open.length];
  const { StartingHashKey, EndingHashKey } = shard.HashKeyRange;
  if (kind === 'split') return rig.split(shard.ShardId, (BigInt(StartingHashKey) + BigInt(EndingHashKey)) / 2n);
  const next = open[(which % open.length) + 1];
  if (next === undefined) return;
  const merge = { ShardToMerge: shard.ShardId, AdjacentShardToMerge: next.ShardId };
  await rig.kinesis.call('MergeShards', { StreamName: stream, ...merge });
}

test('every record is delivered in the order of its key, or lies in the failure destination, whatever fails', async () => {
  const run = async (steps: readonly Step[], fates: readonly Fate[], properties: any) => {
    const rig = await MappingRig.open(2);
    const directory = mkdtempSync(join(tmpdir(), 'mapping-'));
    const ledger = new Ledger();
    const reportsItems = properties.FunctionResponseTypes.length > 0;
    let refusals = 0;
    rig.fault = () => {
      if (refusals === 0) return;
      refusals -= 1;
      throw new AwsError('ServiceUnavailable', 'not now', 503);
    };
    rig.answer = async (records, call): Promise<Invocation> => {
      ledger.begin(records);
      const { kind, place, slow } = fates[call - 1] ?? { kind: 'success', place: 0, slow: false };
      if (slow) await new Promise((tick) => setTimeout(tick, 1));
      const at = Math.floor(place * records.length);
      const processed =
        kind === 'success' ? records.length : kind === 'partial' ? (reportsItems ? at : records.length) : 0;
      ledger.end(records, kind === 'wrong item' && !reportsItems ? records.length : processed);
      if (kind === 'throttle') throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429);
      if (kind === 'error') return failed;
      if (kind === 'partial') return partly(...records.slice(at).reverse());
      return kind === 'wrong item' ? partly(records[at], undefined) : succeeded;
    };
    const start = () =>
      rig.start(
        { ...properties, DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::held' } } },
        {
          directory,
          s3: async (_operation, { Body }) => {
            rig.fault('PutObject');
            const { Records } = JSON.parse(JSON.parse(Body.toString()).payload);
            ledger.hold(Records.map(({ kinesis }: any) => ({ text: Buffer.from(kinesis.data, 'base64').toString() })));
          },
        },
      );
    try {
      await start();
      for (const action of steps) {
        if (action.do === 'put') {
          const texts = action.keys.map((key) => ledger.put(keys[key]!));
          await rig.put(texts, (text) => text.slice(0, 2));
        } else if (action.do === 'refuse') refusals = action.times;
        else if (action.do === 'crash') {
          // The checkpoints of a process that dies are those it wrote last, which may be none.
          const file = join(directory, 'event-source-mappings', `${mappingId}.json`);
          const kept = existsSync(file) ? readFileSync(file) : undefined;
          await rig.mapping.stop();
          if (kept === undefined) rmSync(file);
          else writeFileSync(file, kept);
          refusals = 0;
          await start();
        } else await reshard(rig, action.do, action.which);
      }
      await until(() => rig.mapping.idle());

      expect(ledger.complaints).toEqual([]);
      expect(ledger.missing).toEqual([]);
    } finally {
      await rig.close();
      rmSync(directory, { recursive: true });
    }
  };

  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 20, size: 'max' }),
      fc.array(fate, { maxLength: 60, size: 'max' }),
      rules,
      run,
    ),
    { seed: 20261122, numRuns: 100 },
  );
});
