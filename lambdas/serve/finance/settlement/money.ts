const decimal = /^([+-]?)(\d{1,16})(?:\.(\d{1,12}))?$/;

/**
 * A decimal as text in a currency's minor unit, exactly: no floating point on the way. Undefined where the text is no
 * number, says more than the minor unit can, or is more than is counted exactly.
 */
export function minorUnitsOf(text: string, digits: number): number | undefined {
  const [, sign, whole, fraction = ''] = decimal.exec(text) ?? [];
  if (whole === undefined || /[1-9]/.test(fraction.slice(digits))) return undefined;
  const amount = BigInt(whole + fraction.slice(0, digits).padEnd(digits, '0'));
  if (amount > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  // Not -0, which is no amount.
  return sign === '-' && amount !== 0n ? -Number(amount) : Number(amount);
}

/** The other way round: how a report writes an amount. */
export function decimalOf(minorUnits: number, digits: number): string {
  const sign = minorUnits < 0 ? '-' : '';
  const text = String(Math.abs(minorUnits)).padStart(digits + 1, '0');
  return digits === 0 ? `${sign}${text}` : `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}
