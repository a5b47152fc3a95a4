import { writeFileSync } from 'node:fs';
import { saleSchemaText } from '../lambdas/cardholder/sale-event';
import { stockTriggerSchemaText } from '../lambdas/serve/inventory/stock-trigger';

/**
 * Writes docs/sale.schema.json, the sale event as senders see it, from the definition that checks it, and
 * docs/stock-trigger.schema.json, the stock trigger as subscribers see it.
 */
writeFileSync('docs/sale.schema.json', saleSchemaText());
writeFileSync('docs/stock-trigger.schema.json', stockTriggerSchemaText());
