/** What a row of a settlement is about, whatever its gateway calls it. */
export type SettlementKind =
  | 'payment'
  | 'refund'
  | 'chargeback'
  | 'chargeback-reversed'
  | 'fee'
  | 'adjustment'
  | 'payout';

/** An amount as columns: those that add to it and those that take from it. An empty cell is nothing. */
export interface AmountColumns {
  readonly plus: readonly string[];
  readonly minus?: readonly string[];
  /** Whether or not a row that takes money away writes it with a minus: its kind gives the sign. */
  readonly signOfKind?: true;
}

/**
 * How a gateway's settlement file is read: all that is known of a gateway is in its mapping. A new gateway is a file like
 * the ones beside this, and its line in all.ts.
 */
export interface GatewayMapping {
  /** As sales name the gateway of a tender, and as the folder is called into which its files are dropped. */
  readonly gateway: string;
  /** What the gateway calls the file. */
  readonly report: string;
  /** The file's first line: exactly these columns, in this order, */
  readonly header: readonly string[];
  /** and between them or behind, if the account is set up so, any of these, which nobody reads. */
  readonly alsoInHeader?: readonly string[];
  /** The gateway's own id of the batch or payout: of several columns, their words together. */
  readonly batch: readonly string[];
  readonly kind: { readonly column: string; readonly kinds: Readonly<Record<string, SettlementKind>> };
  /** Columns of which the first that says something counts; for refunds of its own where the gateway names those. */
  readonly reference: readonly string[];
  readonly refundReference?: readonly string[];
  /** The payment that is taken back. */
  readonly paymentReference?: readonly string[];
  readonly merchantReference: readonly string[];
  /** A time without an offset: `zone` is the column that names its zone, UTC without it. Or a report without times. */
  readonly occurredAt?: { readonly column: string; readonly zone?: string };
  /** The column with the day on which the money was settled; without it, the day of the batch's payout row. */
  readonly settledDate?: string;
  readonly currency: string;
  /** Two of the three at least; gross is net + fee. What the file says twice must agree. */
  readonly gross?: AmountColumns;
  readonly fee?: AmountColumns;
  readonly net?: AmountColumns;
  /** What the customer was charged, where the gateway converts. It must be the gross where the currencies are the same. */
  readonly original?: { readonly currency: string; readonly gross: AmountColumns };
}
