/** What a person says about a break. */
export interface Resolution {
  readonly breakId: string;
  /** The difference that it is about, in minor units: a whole number as text. */
  readonly difference: string;
  readonly by: string;
  readonly reason: string;
}

export type ReadResolution = Resolution | { readonly refused: string };

const fields = ['breakId', 'difference', 'by', 'reason'];
// A run of so many digits, however they are grouped, could be a card number; no reason needs one.
const longNumber = /(?:\d[ .-]?){13,}/;

/** Reads what was asked for; says field, got and allowed when it is not understood. */
export function readResolution(event: unknown): ReadResolution {
  const asked = (typeof event === 'object' && event !== null ? event : {}) as Record<string, unknown>;
  const stranger = Object.keys(asked).find((name) => !fields.includes(name));
  if (stranger !== undefined) return { refused: `${stranger} is unknown: use ${fields.join(', ')}` };
  const { breakId, difference, by, reason } = asked;
  if (typeof breakId !== 'string' || !/^[0-9a-f]{32}$/.test(breakId))
    return { refused: 'breakId is not the id of a break: use the 32 letters and digits that the report shows' };
  if (typeof difference !== 'string' || !/^(0|-?[1-9]\d{0,17})$/.test(difference))
    return {
      refused: 'difference is not that of a break: use its minor units as the report shows them, such as -1234',
    };
  for (const [field, value, bytes] of [
    ['by', by, 128],
    ['reason', reason, 1_000],
  ] as const) {
    const size = typeof value === 'string' ? Buffer.byteLength(value.trim()) : 0;
    if (size < 1 || size > bytes) return { refused: `${field} has ${size} bytes: use text of 1 to ${bytes}` };
    if (/[\p{Cc}\\]/u.test(value as string))
      return { refused: `${field} holds a control character or a backslash: leave it out` };
    if (longNumber.test(value as string))
      return { refused: `${field} holds a number of 13 digits or more: leave it out, no card number may be kept` };
  }
  return { breakId, difference, by: (by as string).trim(), reason: (reason as string).trim() };
}
