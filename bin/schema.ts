import { writeFileSync } from 'node:fs';
import { saleSchemaText } from '../lambdas/cardholder/sale-event';

/** Writes docs/sale.schema.json, the sale event as senders see it, from the definition that checks it. */
writeFileSync('docs/sale.schema.json', saleSchemaText());
