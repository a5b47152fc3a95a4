import type { BadgePolicy } from '../lambdas/base/domain/badge';
import type { AllGatewayTerms } from '../lambdas/base/domain/gateway-terms';
import { type SourceName, type SourceTable, sourceTables } from '../lambdas/base/domain/source-tables';
import type { StockPolicy } from '../lambdas/base/domain/stock-policy';

/** Everything in which stages differ, in one place. No other file asks which stage it is. */
export interface Stage {
  readonly name: 'local' | 'dev' | 'prod';
  readonly region: string;
  /** Keep tables, buckets, keys and databases when their stack is deleted, and refuse to delete them by mistake. */
  readonly keepData: boolean;
  /**
   * Empty buckets when their stack is deleted, by a function of CDK's own; without it a bucket that holds objects stops the
   * deletion.
   */
  readonly emptyBuckets: boolean;
  /** Where alarms are sent; without an address they are seen in CloudWatch only. */
  readonly alarmEmail?: string;
  readonly logRetentionDays: number;
  readonly network: NewNetwork | ExistingNetwork;
  readonly ingest: {
    readonly requestsPerSecond: number;
    readonly burst: number;
    /** Containers kept for ingest, so that no other function takes them; none where the account has few. */
    readonly reservedConcurrency?: number;
    /** Ingest refuses sales older than this; null: any age. Claims outlive it (see `claimDays`). */
    readonly maximumSaleAgeDays: number | null;
    /** Identifiers in which a source is known to use numbers that look like card numbers, as `source.field`. */
    readonly cardLikeIdentifiers: readonly string[];
  };
  readonly streams: {
    /** Shards of each sales stream, or on demand. */
    readonly capacity: { readonly shards: number } | 'on-demand';
    readonly retentionHours: number;
    /** Readers of `sales` with a pipe of their own: three readers at 1 MB/s exceed a shard's shared 2 MB/s. */
    readonly enhancedFanOut: boolean;
  };
  /** How long after it was held a record may still be redriven; claims live that much longer. */
  readonly redriveDays: number;
  readonly lake: {
    readonly bufferSeconds: number;
    readonly bufferMebibytes: number;
    /** What one query in Athena may read: a terabyte costs five dollars. */
    readonly gigabytesPerQuery: number;
    /** How long after a week its snapshot is made, so that its last rows are in the lake: those that come later go to the next. */
    readonly snapshotAfterHours: number;
    /** How long Object Lock keeps snapshots from being deleted by anybody but who may bypass it; absent: not at all. */
    readonly snapshotLockDays?: number;
  };
  /** The databases behind badges and stock. */
  readonly databases: Readonly<Record<SourceName, SourceDatabase>>;
  readonly replication: {
    /** What DMS Serverless may scale between, each: 2 GB of memory a unit. */
    readonly minimumCapacityUnits: number;
    readonly maximumCapacityUnits: number;
    /**
     * Make the two roles that DMS demands under fixed names. They exist once in an account, whoever made them: false in
     * an account that has them.
     */
    readonly createServiceRoles: boolean;
  };
  readonly finance: {
    readonly baseCapacityUnits: number;
    readonly maximumCapacityUnits: number;
    readonly loadEveryMinutes: number;
    /**
     * The hour, UTC, at which the day before is closed and reconciled. At noon the day is over in the last of all time zones,
     * and until then it is not closed, whoever asks.
     */
    readonly closeAtHour: number;
    /** So many business days are reconciled anew every day: until the slowest gateway's grace is over. */
    readonly openDays: number;
    /** What each gateway promises, by its name in sales. */
    readonly gatewayTerms: AllGatewayTerms;
  };
  readonly merchandising: {
    /**
     * The database of its time series. `liveanalytics` is for accounts that have Timestream for LiveAnalytics already: AWS
     * lets no others in since 20 June 2025. Another engine begins empty.
     */
    readonly engine: MerchandisingEngine;
    /** Of InfluxDB. */
    readonly instanceType: string;
    readonly storageGibibytes: number;
    readonly multipleZones: boolean;
    /**
     * Of LiveAnalytics: for so long sales are in memory, and a sale that is so late can be seen at once. What is later can
     * be seen within six hours, says AWS.
     */
    readonly memoryHours: number;
    /** Days that points are kept; 0: for ever. */
    readonly salesRetentionDays: number;
    readonly itemsRetentionDays: number;
    /** Of the API for merchants; a dashboard asks seven questions a minute. */
    readonly requestsPerSecond: number;
    readonly burst: number;
  };
  readonly badges: {
    readonly requestsPerSecond: number;
    readonly burst: number;
    /** Raise the version with any change: answers name it. */
    readonly policy: BadgePolicy;
  };
  readonly stock: {
    readonly requestsPerSecond: number;
    readonly burst: number;
    readonly policy: StockPolicy;
  };
}

export const merchandisingEngines = ['influxdb', 'liveanalytics'] as const;
export type MerchandisingEngine = (typeof merchandisingEngines)[number];

export interface NewNetwork {
  readonly cidr: string;
}

/** A network that exists: private subnets in three zones, whose route tables reach S3 by a gateway endpoint. */
export interface ExistingNetwork {
  readonly vpcId: string;
  readonly vpcCidr: string;
  readonly availabilityZones: readonly string[];
  readonly privateSubnetIds: readonly string[];
  /** False when the network already has interface endpoints for Secrets Manager and Kinesis with private names. */
  readonly createEndpoints: boolean;
}

/** Where a source database's tables are, under their own names, and who writes its heartbeat. */
export interface SourceDatabaseNames {
  readonly schema: string;
  readonly tables: Readonly<Record<string, SourceTableNames>>;
  /** By us every 30 seconds, or by the owner's own job, which then writes the rows named in heartbeat-slots.ts. */
  readonly heartbeat: 'ours' | 'owners';
  /**
   * Raised by one, it has the database loaded anew under a new epoch: after a restore, or when it was replaced by another
   * one of the same name.
   */
  readonly load: number;
}

/** A table's own name, and its columns' own names by the canonical ones. */
export interface SourceTableNames {
  readonly table: string;
  readonly columns: Readonly<Record<string, string>>;
  /** Its other columns, which DMS drops. A deployment that finds a column in neither list is refused. */
  readonly leaveOut?: readonly string[];
}

/** A PostgreSQL database of the retailer's: `rds.logical_replication` on, a user with replication and SELECT. */
export interface ExistingDatabase extends SourceDatabaseNames {
  readonly kind: 'existing';
  /**
   * Where it is. `asked-at-deploy`: as parameters of the Cdc stack without defaults, so that a deployment that forgets
   * them is refused at once instead of waiting for a made-up host.
   */
  readonly connection: ExistingConnection | 'asked-at-deploy';
}

export interface ExistingConnection {
  readonly port: number;
  readonly databaseName: string;
  /** Secret with username, password, host and port, in the form of RDS. */
  readonly secretArn: string;
  /** The customer-managed key of the secret. */
  readonly secretKeyArn: string;
  /** The database's own security group, which then lets us in; absent: the owner does. */
  readonly securityGroupId?: string;
}

/** A small Aurora PostgreSQL cluster with the canonical tables, to try change data capture with. */
export interface CreatedDatabase extends SourceDatabaseNames {
  readonly kind: 'created';
  readonly minimumCapacityUnits: number;
  readonly maximumCapacityUnits: number;
  /** Demand TLS from the database's clients. */
  readonly tls: boolean;
}

export type SourceDatabase = ExistingDatabase | CreatedDatabase;

const region = 'eu-west-1';

/** The canonical names themselves, for a database that is made after them. */
function canonicalNames(database: SourceName): SourceDatabaseNames {
  return {
    schema: 'public',
    tables: Object.fromEntries(
      Object.entries<SourceTable>(sourceTables[database]).map(([table, { columns }]) => [
        table,
        { table, columns: Object.fromEntries(columns.map((column) => [column, column])) },
      ]),
    ),
    heartbeat: 'ours',
    load: 1,
  };
}

function createdDatabase(database: SourceName, tls: boolean): CreatedDatabase {
  return { ...canonicalNames(database), kind: 'created', minimumCapacityUnits: 0.5, maximumCapacityUnits: 2, tls };
}

/** T+n as the gateways publish it for cards; an operator's contract may say otherwise. */
const gatewayTerms: AllGatewayTerms = {
  '*': { settlementDays: 2, graceDays: 5, timeZone: 'UTC', roundingMinorUnits: 1 },
  adyen: { settlementDays: 2, graceDays: 5, timeZone: 'UTC', roundingMinorUnits: 1 },
  stripe: { settlementDays: 3, graceDays: 5, timeZone: 'UTC', roundingMinorUnits: 1 },
  braintree: { settlementDays: 2, graceDays: 5, timeZone: 'UTC', roundingMinorUnits: 1 },
};

const badgePolicy: BadgePolicy = { version: '1', maximumAgeSeconds: 300, safetyStock: 0, capacityShare: 1 };

/** Stores count by night; the warehouse system of a fulfilment centre takes sales off by itself, within minutes. */
const stockPolicy: StockPolicy = {
  locationKinds: [
    { name: 'store', locations: 'store-.*', onHand: 'without-sales', lagSeconds: 0 },
    { name: 'centre', locations: '.*', onHand: 'with-sales', lagSeconds: 300 },
  ],
  rearmShare: 0.1,
  maximumAgeSeconds: 300,
};

/** What the laptop runs. Nothing is too old, so that any history can be replayed. */
const local: Stage = {
  name: 'local',
  region,
  keepData: false,
  emptyBuckets: false,
  logRetentionDays: 7,
  network: { cidr: '10.40.0.0/16' },
  ingest: { requestsPerSecond: 1_000, burst: 1_000, maximumSaleAgeDays: null, cardLikeIdentifiers: [] },
  streams: { capacity: { shards: 2 }, retentionHours: 24, enhancedFanOut: false },
  redriveDays: 14,
  lake: { bufferSeconds: 60, bufferMebibytes: 64, gigabytesPerQuery: 100, snapshotAfterHours: 0 },
  databases: { inventory: createdDatabase('inventory', false), orders: createdDatabase('orders', false) },
  replication: { minimumCapacityUnits: 1, maximumCapacityUnits: 1, createServiceRoles: true },
  finance: {
    baseCapacityUnits: 8,
    maximumCapacityUnits: 8,
    loadEveryMinutes: 60,
    closeAtHour: 13,
    openDays: 14,
    gatewayTerms,
  },
  merchandising: {
    engine: 'influxdb',
    instanceType: 'db.influx.medium',
    storageGibibytes: 20,
    multipleZones: false,
    // Here the latest sale can be seen at once.
    memoryHours: 744,
    salesRetentionDays: 0,
    itemsRetentionDays: 0,
    requestsPerSecond: 50,
    burst: 100,
  },
  badges: { requestsPerSecond: 2_000, burst: 2_000, policy: badgePolicy },
  stock: { requestsPerSecond: 1_000, burst: 1_000, policy: stockPolicy },
};

/** The cheapest that works, and can be deleted whole. */
const dev: Stage = {
  ...local,
  name: 'dev',
  emptyBuckets: true,
  logRetentionDays: 14,
  ingest: { requestsPerSecond: 50, burst: 100, maximumSaleAgeDays: 30, cardLikeIdentifiers: [] },
  streams: { capacity: { shards: 1 }, retentionHours: 24, enhancedFanOut: false },
  databases: { inventory: createdDatabase('inventory', true), orders: createdDatabase('orders', true) },
  replication: { minimumCapacityUnits: 1, maximumCapacityUnits: 2, createServiceRoles: true },
  merchandising: { ...local.merchandising, memoryHours: 24, salesRetentionDays: 90, itemsRetentionDays: 14 },
  badges: { requestsPerSecond: 50, burst: 100, policy: badgePolicy },
  stock: { requestsPerSecond: 50, burst: 100, policy: stockPolicy },
};

const prod: Stage = {
  name: 'prod',
  region,
  keepData: true,
  emptyBuckets: false,
  logRetentionDays: 400,
  network: { cidr: '10.40.0.0/16' },
  ingest: {
    requestsPerSecond: 500,
    burst: 1_000,
    reservedConcurrency: 200,
    maximumSaleAgeDays: 30,
    cardLikeIdentifiers: [],
  },
  streams: { capacity: 'on-demand', retentionHours: 168, enhancedFanOut: true },
  redriveDays: 30,
  lake: {
    bufferSeconds: 300,
    bufferMebibytes: 128,
    gigabytesPerQuery: 2_000,
    snapshotAfterHours: 6,
    snapshotLockDays: 1_095,
  },
  databases: {
    inventory: { ...canonicalNames('inventory'), kind: 'existing', connection: 'asked-at-deploy' },
    orders: { ...canonicalNames('orders'), kind: 'existing', connection: 'asked-at-deploy' },
  },
  replication: { minimumCapacityUnits: 2, maximumCapacityUnits: 8, createServiceRoles: true },
  finance: {
    baseCapacityUnits: 8,
    maximumCapacityUnits: 64,
    loadEveryMinutes: 60,
    closeAtHour: 13,
    openDays: 14,
    gatewayTerms,
  },
  merchandising: {
    engine: 'influxdb',
    instanceType: 'db.influx.large',
    storageGibibytes: 100,
    multipleZones: true,
    memoryHours: 168,
    salesRetentionDays: 400,
    itemsRetentionDays: 35,
    requestsPerSecond: 50,
    burst: 100,
  },
  badges: { requestsPerSecond: 2_000, burst: 4_000, policy: badgePolicy },
  stock: { requestsPerSecond: 500, burst: 1_000, policy: stockPolicy },
};

const stages = { local, dev, prod };

/** Finds a stage by name; throws what is allowed when there is none. */
export function stageNamed(name: string): Stage {
  if (!Object.hasOwn(stages, name))
    throw new Error(`stage '${name}' is unknown: use ${Object.keys(stages).join(', ')}`);
  return stages[name as keyof typeof stages];
}

/** The same stage with another database for merchandising, if one is named; throws what is allowed when it is none. */
export function withMerchandisingEngine(stage: Stage, name: string | undefined): Stage {
  if (name === undefined) return stage;
  const engine = merchandisingEngines.find((each) => each === name);
  if (engine === undefined)
    throw new Error(`merchandisingEngine '${name}' is unknown: use ${merchandisingEngines.join(', ')}`);
  return { ...stage, merchandising: { ...stage.merchandising, engine } };
}

/**
 * How long a claim must live: as old as an accepted sale may be, a day for clocks ahead, the streams'
 * retention, and the time in which a held record may be redriven; and a day more, so that the last of all moments is not
 * the one in which the claim goes.
 */
export function claimDays(stage: Stage): number {
  const retentionDays = Math.ceil(stage.streams.retentionHours / 24);
  return (stage.ingest.maximumSaleAgeDays ?? 0) + 1 + retentionDays + stage.redriveDays + 1;
}
