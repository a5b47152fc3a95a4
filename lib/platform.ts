import { type App, Tags } from 'aws-cdk-lib';
import { NetworkStack } from './base/network-stack';
import { CardholderStack } from './cardholder/cardholder-stack';
import { TokenVaultStack } from './cardholder/token-vault-stack';
import { CdcStack } from './cdc/cdc-stack';
import { RefineStack } from './refine/refine-stack';
import { BadgesStack } from './serve/badges-stack';
import { FinanceStack } from './serve/finance-stack';
import { InventoryStack } from './serve/inventory-stack';
import { LakeStack } from './serve/lake-stack';
import { MerchandisingStack } from './serve/merchandising-stack';
import type { Stage } from './stages';
import { WatchStack } from './watch/watch-stack';

/**
 * The whole platform on one page: stacks in the order in which data flows, each handed what the ones before it made. What
 * breaks when one breaks stands in the README.
 */
export function createPlatform(app: App, stage: Stage) {
  const properties = (name: string, description: string) => ({
    stage,
    stackName: `Tillstream-${stage.name}-${name}`,
    description,
    env: { region: stage.region },
    terminationProtection: stage.keepData,
  });

  const network = new NetworkStack(app, 'Network', properties('Network', 'private subnets and endpoints'));

  const vault = new TokenVaultStack(
    app,
    'TokenVault',
    properties('TokenVault', 'card numbers, encrypted, and their tokens'),
  );
  const cardholder = new CardholderStack(app, 'Cardholder', {
    ...properties('Cardholder', 'takes sales in and replaces card numbers by tokens'),
    vault,
  });

  const { vpc, functions } = network;
  const cdc = new CdcStack(app, 'Cdc', {
    ...properties('Cdc', "the source databases' logs as a stream of changes"),
    vpc,
    functions,
  });

  const refine = new RefineStack(app, 'Refine', {
    ...properties('Refine', 'each sale once'),
    salesIngest: cardholder.salesIngest,
  });

  const { sales } = refine;
  const lake = new LakeStack(app, 'Lake', { ...properties('Lake', 'sales as Parquet, full history'), sales });
  const merchandising = new MerchandisingStack(app, 'Merchandising', {
    ...properties('Merchandising', 'sales as time series, minutes old'),
    vpc,
    functions,
    sales,
    lake,
  });
  // API Gateway writes access logs by the account's role, which that stack sets.
  merchandising.addStackDependency(cardholder);

  const badges = new BadgesStack(app, 'Badges', {
    ...properties('Badges', 'same-day badges, minutes fresh at worst'),
    changes: cdc.changes,
    epochs: cdc.epochs,
    lake: lake.place,
  });
  // API Gateway writes access logs by the account's role, which that stack sets.
  badges.addStackDependency(cardholder);

  const finance = new FinanceStack(app, 'Finance', {
    ...properties('Finance', 'sales as a ledger in Redshift'),
    vpc,
    lake,
  });
  const inventory = new InventoryStack(app, 'Inventory', {
    ...properties('Inventory', 'stock by item and location, and reorder triggers'),
    sales,
    changes: cdc.changes,
    epochs: cdc.epochs,
  });
  inventory.addStackDependency(cardholder);

  const rooms = { cardholder, cdc, refine, badges, merchandising, lake, finance, inventory };
  new WatchStack(app, 'Watch', {
    ...properties('Watch', 'alarms and dashboard'),
    rooms: Object.fromEntries(Object.entries(rooms).map(([room, { signals }]) => [room, signals])),
  });
  Tags.of(app).add('application', 'tillstream');
  Tags.of(app).add('stage', stage.name);
  return { network, vault, ...rooms };
}
