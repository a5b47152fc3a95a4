/** Minor units as a person reads them: `-1,234.50`. Sums come as text, since they may be larger than a number is exact. */
export function money(minorUnits: string | bigint, currency: string): string {
  const amount = BigInt(minorUnits);
  const digits = minorDigits(currency);
  const text = (amount < 0n ? -amount : amount).toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, ',');
  const fraction = digits === 0 ? '' : `.${text.slice(-digits)}`;
  return `${amount < 0n ? '\u2212' : ''}${whole}${fraction}`;
}

/** A number of things, as a person reads it. */
export const count = (value: bigint | string): string => money(value, 'JPY');

function minorDigits(currency: string): number {
  try {
    const { maximumFractionDigits } = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions();
    return maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}
