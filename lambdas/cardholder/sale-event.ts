import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { currencies } from '../base/domain/currencies';

/*
 * The sale event, version 1: one definition for the type, the check and docs/sale.schema.json. Each `description` says
 * what is allowed, in the words in which a rejection says it.
 */

const text = (pattern: string, description: string) => Type.String({ pattern, description });
const integer = (minimum: number) =>
  Type.Integer({
    minimum,
    maximum: Number.MAX_SAFE_INTEGER,
    description: `an integer of at least ${minimum}`,
  });
const oneOf = <const T extends readonly string[]>(...values: T) =>
  Type.Union(
    values.map((value) => Type.Literal(value as T[number])),
    { description: `${values.slice(0, -1).join(', ')} or ${values.at(-1)}` },
  );
const identifier = (extra: string, longest = 64) =>
  text(`^[A-Za-z0-9${extra}-]{1,${longest}}$`, `1 to ${longest} of A-Z a-z 0-9 ${[...extra].join(' ')} -`);
const place = () => text('^[a-z0-9-]{1,64}$', '1 to 64 of a-z 0-9 -');

/** The card of a tender, as a till sends it. None of it but what is derived from the number passes the door. */
const Card = Type.Object(
  {
    number: text('^[0-9]([ -]?[0-9]){12,18}$', 'a valid card number of 13 to 19 digits, as text'),
    expiryMonth: Type.Optional(Type.Integer({ minimum: 1, maximum: 12, description: 'a month, 1 to 12' })),
    expiryYear: Type.Optional(
      Type.Integer({ minimum: 2000, maximum: 2099, description: 'a year of four digits, 2000 to 2099' }),
    ),
  },
  { description: 'an object with number' },
);

const Tender = Type.Object(
  {
    type: oneOf('card', 'cash', 'gift-card', 'other'),
    amount: integer(0),
    gateway: Type.Optional(identifier('._')),
    gatewayReference: Type.Optional(identifier('._:@+/=', 128)),
    // A card tender without a card is one whose acquirer tokenized it before us: only gateway and reference are known.
    card: Type.Optional(Card),
  },
  { description: 'an object with type and amount' },
);

const Line = Type.Object(
  {
    line: integer(0),
    sku: identifier('._'),
    quantity: integer(1),
    unitPrice: integer(0),
    discount: Type.Optional(integer(0)),
    tax: Type.Optional(integer(0)),
    category: Type.Optional(text('^[^\\u0000-\\u001f\\u007f]{1,100}$', '1 to 100 characters, no control characters')),
  },
  { description: 'an object with line, sku, quantity and unitPrice' },
);

const note = (maxLength: number) =>
  Type.Optional(Type.String({ maxLength, description: 'text of at most 500 characters' }));

/** As published: a sale, or a return with positive quantities and amounts. */
export const SaleEvent = Type.Object(
  {
    source: text('^[a-z][a-z0-9-]{1,31}$', '2 to 32 of a-z 0-9 -, a letter first'),
    transactionId: identifier('._:'),
    type: oneOf('sale', 'return'),
    channel: oneOf('store', 'online'),
    region: place(),
    location: place(),
    occurredAt: text(
      '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?Z$',
      'a UTC time since 1970 such as 2026-11-22T10:15:30.123Z',
    ),
    businessDate: Type.Optional(text('^[0-9]{4}-[0-9]{2}-[0-9]{2}$', 'a date since 1970 such as 2026-11-22')),
    // `enum` is for the reader of the schema; the check asks a set, which is faster.
    currency: Type.String({ pattern: '^[A-Z]{3}$', enum: currencies, description: 'a currency code of ISO 4217' }),
    originalTransactionId: Type.Optional(identifier('._:')),
    customerId: Type.Optional(identifier('._:@+')),
    note: note(500),
    lines: Type.Array(Line, { minItems: 1, maxItems: 2_000, description: '1 to 2,000 lines' }),
    tenders: Type.Array(Tender, { minItems: 1, maxItems: 20, description: '1 to 20 tenders' }),
  },
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'sale.schema.json',
    title: 'Sale event, version 1',
    description: 'an object: a sale as POST /v1/sales takes it in `sales`',
  },
);

/** An event of the right form: it can still be refused for what its values say. */
export type SaleEvent = Static<typeof SaleEvent>;

// JSON Schema counts characters, the compiled check counts UTF-16 units, of which a character has up to two.
const check = TypeCompiler.Compile(Type.Object({ ...SaleEvent.properties, note: note(1_000) }, { ...SaleEvent }));

export function isSaleEvent(value: unknown): value is SaleEvent {
  return check.Check(value);
}

/** The first thing wrong with an event's form: where, what stood there, what is allowed. */
export function firstFault(value: unknown): { path: string; got: unknown; allowed: string } | undefined {
  const fault = check.Errors(value).First();
  return fault && { path: dotted(fault.path), got: fault.value, allowed: allowedBy(fault.schema) };
}

/** What a rule outside the form says is allowed: the description of the field it is about. */
export function allowedIn(field: 'occurredAt' | 'businessDate' | 'currency' | 'note'): string {
  return allowedBy(SaleEvent.properties[field]);
}

function allowedBy(schema: TSchema): string {
  return schema.description ?? 'what docs/sale.schema.json says';
}

/** `/lines/3/quantity` as `lines[3].quantity`. */
function dotted(pointer: string): string {
  return pointer
    .slice(1)
    .replace(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
}

/** docs/sale.schema.json, byte for byte. */
export function saleSchemaText(): string {
  return `${JSON.stringify(SaleEvent, null, 2)}\n`;
}
