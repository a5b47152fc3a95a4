import { isReal } from '../../../base/domain/times';
import type { Span } from './lake-sales';

export const hourMs = 3_600_000;

/** Whole hours in ISO 8601: what occurred from one to before the other; neither: the hours of what was accepted lately. */
export interface ComparisonRequest {
  readonly from?: string;
  readonly to?: string;
}

/** Undefined where none are named. Throws for what is no span of whole hours. */
export function hoursIn({ from, to }: ComparisonRequest): number[] | undefined {
  if (from === undefined && to === undefined) return undefined;
  const [first, end] = [hourOf('from', from), hourOf('to', to)];
  if (first >= end) throw new Error(`to: got ${to}, allowed: an hour after from (${from})`);
  return Array.from({ length: (end - first) / hourMs }, (_, index) => first + index * hourMs);
}

function hourOf(name: string, text: unknown): number {
  const isTime = typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:00(:00(\.000)?)?Z$/.test(text);
  const full = isTime ? text.replace(/:00(:00(\.000)?)?Z$/, ':00:00.000Z') : '';
  if (!isReal(full)) throw new Error(`${name}: got ${String(text)}, allowed: a whole hour in UTC, 2026-11-28T10:00Z`);
  return Date.parse(full);
}

/** Hours that follow on each other are asked for together. */
export function spansOf(hours: readonly number[]): Span[] {
  const spans: { from: number; to: number }[] = [];
  for (const hour of hours) {
    const last = spans.at(-1);
    if (last?.to === hour) last.to = hour + hourMs;
    else spans.push({ from: hour, to: hour + hourMs });
  }
  return spans;
}
