import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AwsError, type Engine, localAccount, localRegion } from './engine';
import { type Backoff, Deliveries, type Delivery } from './eventbridge-delivery';
import { type BusEvent, checkEntries, eventOf, sizeOf } from './eventbridge-entry';
import { type Pattern, readPattern } from './eventbridge-pattern';
import { checkTargets, type Target } from './eventbridge-target';

export interface EventBridgeOptions {
  /** The folder of the run's state. Without it, events live as long as the process. */
  readonly directory?: string;
  readonly now?: () => number;
  /** Hands an event over to a target; throws what the target answers, and that it was not done when the signal ends it. */
  readonly deliver: (delivery: Delivery, signal: AbortSignal) => Promise<void>;
  /** Puts an event that is given up into its target's dead-letter queue. */
  readonly bury: (delivery: Delivery, attributes: Readonly<Record<string, string>>) => Promise<void>;
  readonly backoff?: Backoff;
  /** Called with what AWS would bill: each event, by started 64 KB. */
  readonly onConsumed?: (bus: string, events: number) => void;
}

interface Rule {
  readonly name: string;
  readonly arn: string;
  readonly bus: string;
  readonly text: string;
  readonly pattern: Pattern;
  readonly enabled: boolean;
  readonly targets: Map<string, Target>;
}

interface Archive {
  readonly name: string;
  readonly bus: string;
  readonly pattern: Pattern | undefined;
  readonly retentionDays: number;
  readonly events: BusEvent[];
}

export interface DeliveryState {
  /** Events handed over, each target for itself. */
  readonly delivered: number;
  /** Events put into a dead-letter queue. */
  readonly buried: number;
  /** Events given up without one: lost. */
  readonly dropped: number;
  readonly waiting: number;
  /** What went wrong last, as long as nothing has gone well since. */
  readonly problem: string | undefined;
}

export interface EventBridgeEngine extends Engine {
  /** Takes what a service of AWS tells the default bus of itself; nobody is billed for that. */
  announce(event: Pick<BusEvent, 'source' | 'detail-type' | 'resources' | 'detail'>): void;
  /** Goes on with what an earlier run has taken and not handed over. */
  resume(): void;
  /** Whether every event is handed over or given up. */
  idle(): boolean;
  state(): DeliveryState;
  /** The events that an archive holds, oldest first. */
  archived(archiveName: string): readonly BusEvent[];
}

/**
 * EventBridge: buses, rules and archives as they were declared, and events that are handed over at least once to each target
 * whose rule they match, in no order. What is taken is on disk before it is answered, and goes on after a crash.
 */
export function openEventBridge(options: EventBridgeOptions): EventBridgeEngine {
  return new EventBridge(options);
}

class EventBridge implements EventBridgeEngine {
  readonly service = 'events';
  readonly #buses = new Set(['default']);
  readonly #rules = new Map<string, Rule>();
  readonly #archives = new Map<string, Archive>();
  readonly #deliveries: Deliveries;
  readonly #now: () => number;
  readonly #operations: Readonly<Record<string, { readonly run: (input: any) => any; readonly members: string }>> = {
    CreateArchive: {
      run: (i) => this.#createArchive(i),
      members: 'ArchiveName EventSourceArn EventPattern RetentionDays',
    },
    CreateEventBus: { run: (i) => this.#createEventBus(i), members: 'Name' },
    DeleteArchive: { run: (i) => this.#deleteArchive(i), members: 'ArchiveName' },
    DeleteEventBus: { run: (i) => this.#deleteEventBus(i), members: 'Name' },
    DeleteRule: { run: (i) => this.#deleteRule(i), members: 'Name EventBusName' },
    DescribeArchive: { run: (i) => this.#describeArchive(i), members: 'ArchiveName' },
    DescribeEventBus: { run: (i) => this.#describeEventBus(i), members: 'Name' },
    DescribeRule: { run: (i) => this.#describeRule(i), members: 'Name EventBusName' },
    PutEvents: { run: (i) => this.#putEvents(i), members: 'Entries' },
    PutRule: { run: (i) => this.#putRule(i), members: 'Name EventBusName EventPattern State' },
    PutTargets: { run: (i) => this.#putTargets(i), members: 'Rule EventBusName Targets' },
    RemoveTargets: { run: (i) => this.#removeTargets(i), members: 'Rule EventBusName Ids' },
    TestEventPattern: { run: (i) => this.#testEventPattern(i), members: 'EventPattern Event' },
  };

  constructor(private readonly options: EventBridgeOptions) {
    const { directory, now = Date.now } = options;
    this.#now = now;
    if (directory !== undefined) mkdirSync(directory, { recursive: true });
    this.#deliveries = new Deliveries(options, now);
  }

  async call(operation: string, input: any): Promise<any> {
    const known = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined;
    if (known === undefined)
      throw new AwsError(
        'UnknownOperationException',
        `operation ${operation} is not modelled by the local EventBridge: use ${Object.keys(this.#operations).join(', ')}`,
      );
    const members = known.members.split(' ');
    for (const member in input)
      if (input[member] != null && !members.includes(member))
        throw validation(`parameter ${member} of ${operation} is not modelled by the local EventBridge`);
    return known.run(input);
  }

  announce(event: Pick<BusEvent, 'source' | 'detail-type' | 'resources' | 'detail'>): void {
    this.#take('default', {
      version: '0',
      id: randomUUID(),
      account: localAccount,
      time: new Date(this.#now()).toISOString().replace(/\.\d+Z$/, 'Z'),
      region: localRegion,
      ...event,
    });
    this.#deliveries.begin();
  }

  resume(): void {
    this.#deliveries.resume();
  }

  idle(): boolean {
    return this.#deliveries.idle;
  }

  state(): DeliveryState {
    const { counts, problem } = this.#deliveries;
    return { ...counts, waiting: this.#deliveries.waiting().length, problem };
  }

  archived(archiveName: string): readonly BusEvent[] {
    return this.#archive(archiveName).events;
  }

  async *contents(): AsyncIterable<{ readonly where: string; readonly text: string }> {
    for (const { name, events } of this.#archives.values())
      for (const event of events) yield { where: `eventbridge archive ${name}`, text: JSON.stringify(event) };
    for (const text of this.#deliveries.waiting()) yield { where: 'eventbridge, on its way', text };
  }

  close(): Promise<void> {
    return this.#deliveries.close();
  }

  #putEvents({ Entries }: any): any {
    const answers = checkEntries(Entries).map((entry) => {
      const event = eventOf(entry, this.#now());
      if ('ErrorCode' in event) return event;
      const bus = nameOf(entry.EventBusName);
      this.options.onConsumed?.(bus, Math.max(1, Math.ceil(sizeOf(entry) / 65_536)));
      this.#take(bus, event);
      return { EventId: event.id };
    });
    this.#deliveries.begin();
    return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers };
  }

  /** An event of a bus that does not exist goes nowhere, as at AWS. */
  #take(bus: string, event: BusEvent): void {
    for (const archive of this.#archives.values())
      if (archive.bus === bus && (archive.pattern?.matches(event) ?? true)) this.#keep(archive, event);
    const rules = [...this.#rules.values()].filter((rule) => rule.bus === bus && rule.enabled);
    for (const { arn: ruleArn, pattern, targets } of rules)
      if (pattern.matches(event))
        for (const target of targets.values())
          this.#deliveries.add({ ruleArn, target, eventId: event.id, text: JSON.stringify(event), since: this.#now() });
  }

  #keep({ name, events }: Archive, event: BusEvent): void {
    events.push(event);
    const file = this.#archiveFile(name);
    if (file !== undefined) appendFileSync(file, `${JSON.stringify(event)}\n`, { mode: 0o600 });
  }

  #createEventBus({ Name }: any): any {
    const name = checkedName(Name, 'name');
    if (this.#buses.has(name)) throw exists(`Event bus ${name} already exists.`);
    this.#buses.add(name);
    return { EventBusArn: busArn(name) };
  }

  #describeEventBus({ Name }: any): any {
    const name = this.#bus(Name);
    return { Name: name, Arn: busArn(name) };
  }

  #deleteEventBus({ Name }: any): void {
    const name = nameOf(Name);
    if (name === 'default') throw validation('Cannot delete event bus default.');
    if ([...this.#rules.values()].some(({ bus }) => bus === name))
      throw validation("Event bus can't be deleted since it has rules.");
    this.#buses.delete(name);
  }

  #putRule({ Name, EventBusName, EventPattern, State = 'ENABLED' }: any): any {
    const name = checkedName(Name, 'name');
    const bus = this.#bus(EventBusName);
    if (EventPattern == null) throw validation('Parameter(s) EventPattern or ScheduleExpression must be specified.');
    if (State !== 'ENABLED' && State !== 'DISABLED')
      throw validation(`state '${State}' is not modelled: use ENABLED or DISABLED`);
    const arn = ruleArn(bus, name);
    this.#rules.set(arn, {
      name,
      arn,
      bus,
      text: EventPattern,
      pattern: readPattern(EventPattern),
      enabled: State === 'ENABLED',
      targets: this.#rules.get(arn)?.targets ?? new Map(),
    });
    return { RuleArn: arn };
  }

  #describeRule({ Name, EventBusName }: any): any {
    const { name, arn, bus, text, enabled } = this.#rule(EventBusName, Name);
    return { Name: name, Arn: arn, EventBusName: bus, EventPattern: text, State: enabled ? 'ENABLED' : 'DISABLED' };
  }

  #deleteRule({ Name, EventBusName }: any): void {
    const rule = this.#rules.get(ruleArn(nameOf(EventBusName), Name));
    if (rule === undefined) return;
    if (rule.targets.size > 0) throw validation("Rule can't be deleted since it has targets.");
    this.#rules.delete(rule.arn);
  }

  #putTargets({ Rule, EventBusName, Targets }: any): any {
    const { targets } = this.#rule(EventBusName, Rule);
    for (const target of checkTargets(Targets, targets)) targets.set(target.Id, target);
    return { FailedEntryCount: 0, FailedEntries: [] };
  }

  #removeTargets({ Rule, EventBusName, Ids }: any): any {
    const { targets } = this.#rule(EventBusName, Rule);
    for (const id of Ids ?? []) targets.delete(id);
    return { FailedEntryCount: 0, FailedEntries: [] };
  }

  #testEventPattern({ EventPattern, Event }: any): any {
    let event: any;
    try {
      event = JSON.parse(Event);
    } catch {
      throw validation('Parameter Event is not valid. Reason: Event is not a JSON object.');
    }
    for (const member of ['id', 'account', 'source', 'time', 'region', 'resources', 'detail-type'])
      if (event?.[member] === undefined)
        throw validation(`Parameter Event is not valid. Reason: ${member} is a required argument.`);
    return { Result: readPattern(EventPattern).matches(event) };
  }

  #createArchive({ ArchiveName, EventSourceArn, EventPattern, RetentionDays = 0 }: any): any {
    const name = checkedName(ArchiveName, 'archiveName');
    if (this.#archives.has(name)) throw exists(`Archive ${name} already exists.`);
    const bus = this.#bus(EventSourceArn);
    const pattern = EventPattern == null ? undefined : readPattern(EventPattern);
    const events = this.#archivedBefore(name, RetentionDays);
    this.#archives.set(name, { name, bus, pattern, retentionDays: RetentionDays, events });
    return { ArchiveArn: archiveArn(name), State: 'ENABLED' };
  }

  #describeArchive({ ArchiveName }: any): any {
    const { name, bus, retentionDays, events } = this.#archive(ArchiveName);
    return {
      ArchiveName: name,
      ArchiveArn: archiveArn(name),
      EventSourceArn: busArn(bus),
      State: 'ENABLED',
      RetentionDays: retentionDays,
      EventCount: events.length,
      SizeBytes: events.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0),
    };
  }

  #deleteArchive({ ArchiveName }: any): any {
    this.#archive(ArchiveName);
    this.#archives.delete(ArchiveName);
    const file = this.#archiveFile(ArchiveName);
    if (file !== undefined) writeFileSync(file, '');
    return {};
  }

  /** What an earlier run has put there, without what its retention has seen the end of. */
  #archivedBefore(name: string, retentionDays: number): BusEvent[] {
    const file = this.#archiveFile(name);
    if (file === undefined || !existsSync(file)) return [];
    const oldest = retentionDays === 0 ? 0 : this.#now() - retentionDays * 86_400_000;
    // A line that the end of its process has cut off was never answered.
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    const events = lines.map((line): BusEvent => JSON.parse(line)).filter(({ time }) => Date.parse(time) >= oldest);
    writeFileSync(`${file}.new`, events.map((event) => `${JSON.stringify(event)}\n`).join(''), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return events;
  }

  #archiveFile(name: string): string | undefined {
    const { directory } = this.options;
    return directory === undefined ? undefined : join(directory, `archive-${name}.jsonl`);
  }

  #bus(given: unknown): string {
    const name = nameOf(given);
    if (!this.#buses.has(name)) throw notFound(`Event bus ${name} does not exist.`);
    return name;
  }

  #rule(bus: unknown, name: string): Rule {
    const rule = this.#rules.get(ruleArn(this.#bus(bus), name));
    if (rule === undefined) throw notFound(`Rule ${name} does not exist on EventBus ${nameOf(bus)}.`);
    return rule;
  }

  #archive(name: string): Archive {
    const archive = this.#archives.get(name);
    if (archive === undefined) throw notFound(`Archive ${name} does not exist.`);
    return archive;
  }
}

const arn = (resource: string) => `arn:aws:events:${localRegion}:${localAccount}:${resource}`;
const busArn = (name: string) => arn(`event-bus/${name}`);
const archiveArn = (name: string) => arn(`archive/${name}`);

function ruleArn(bus: string, name: string): string {
  return arn(bus === 'default' ? `rule/${name}` : `rule/${bus}/${name}`);
}

/** A bus by its name or its ARN; the account's own where none is named. */
function nameOf(bus: unknown): string {
  return bus == null ? 'default' : String(bus).replace(/^arn:.*event-bus\//, '');
}

function checkedName(name: unknown, member: string): string {
  if (typeof name === 'string' && /^[.\-_A-Za-z0-9]{1,64}$/.test(name)) return name;
  throw validation(
    `1 validation error detected: Value '${name}' at '${member}' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+`,
  );
}

function validation(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

function notFound(message: string): AwsError {
  return new AwsError('ResourceNotFoundException', message);
}

function exists(message: string): AwsError {
  return new AwsError('ResourceAlreadyExistsException', message);
}
