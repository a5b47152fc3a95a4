/** What a payment gateway promises, as far as reconciliation goes by it. */
export interface GatewayTerms {
  /** It settles this many weekdays after the day of the sale: the n of T+n. */
  readonly settlementDays: number;
  /** Calendar days after that during which a payment is late; from then on it is missing. */
  readonly graceDays: number;
  /** Its day ends at midnight here: an IANA name. */
  readonly timeZone: string;
  /** By so many minor units an amount may differ by rounding. */
  readonly roundingMinorUnits: number;
}

/** The terms of each gateway by its name in sales, lower case; `*` are those of any other. */
export type AllGatewayTerms = Readonly<Record<string, GatewayTerms>> & { readonly '*': GatewayTerms };
