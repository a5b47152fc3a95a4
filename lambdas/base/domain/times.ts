/**
 * Whether a UTC time in ISO 8601, or a day, is in the calendar since 1970. `2026-02-30` is parsed by some and rolled over:
 * a time is real when it is written back as it came.
 */
export function isReal(text: string): boolean {
  const ms = Date.parse(text);
  return ms >= 0 && new Date(ms).toISOString().startsWith(text.slice(0, 19));
}
