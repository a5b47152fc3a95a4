import { clockFace } from '../../../base/domain/centre-clock';

const minuteMs = 60_000;
const written = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?))?$/;

/** Hours from UTC of the abbreviations that reports use for their zone: each says by itself whether it is summer. */
const abbreviations: Readonly<Record<string, number>> = {
  UTC: 0,
  GMT: 0,
  WET: 0,
  BST: 1,
  WEST: 1,
  CET: 1,
  CEST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  SGT: 8,
  HKT: 8,
  AWST: 8,
  JST: 9,
  AEST: 10,
  AEDT: 11,
  NZST: 12,
  NZDT: 13,
  BRT: -3,
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
};

/**
 * When a report's local time was, in UTC: in a zone by abbreviation, by IANA name or by offset. Undefined where text or zone
 * say nothing, or where the clocks skipped that time; one that the clocks showed twice is taken as the earlier.
 */
export function instantOf(text: string, zone: string): Date | undefined {
  const [, day, time = '00:00:00'] = written.exec(text) ?? [];
  if (day === undefined || realDay(day) === undefined) return undefined;
  const local = Date.parse(`${day}T${time.length === 5 ? `${time}:00` : time}Z`);
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== day) return undefined;
  const fixed = fixedOffsetMinutes(zone);
  if (fixed !== undefined) return new Date(local - fixed * minuteMs);
  // The offsets of a day before and a day after are the two that can hold: zones change once in a day at most.
  const offsets = [local - 1_440 * minuteMs, local + 1_440 * minuteMs].map((at) => offsetMinutes(zone, at));
  if (offsets[0] === undefined || offsets[1] === undefined) return undefined;
  const candidates = [...new Set(offsets as number[])]
    .map((offset) => ({ at: local - offset * minuteMs, offset }))
    .filter(({ at, offset }) => offsetMinutes(zone, at) === offset)
    .map(({ at }) => at);
  return candidates.length === 0 ? undefined : new Date(Math.min(...candidates));
}

/** A day, also where a time follows it; undefined where it is not in the calendar. */
export function dayOf(text: string): string | undefined {
  const [, day] = written.exec(text) ?? [];
  return day === undefined ? undefined : realDay(day);
}

function realDay(day: string): string | undefined {
  const at = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== day ? undefined : day;
}

function fixedOffsetMinutes(zone: string): number | undefined {
  if (Object.hasOwn(abbreviations, zone)) return abbreviations[zone]! * 60;
  const [, sign, hours, minutes] = /^(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? [];
  if (hours === undefined || Number(hours) > 14 || Number(minutes) > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function offsetMinutes(zone: string, at: number): number | undefined {
  // Only names like Europe/Berlin: what Node makes of other words changes with its version.
  const face = /^[A-Z][A-Za-z_]+(\/[A-Za-z_+-]+){1,2}$/.test(zone) ? clockFace(zone, at) : undefined;
  return face === undefined ? undefined : Math.round((face - at) / minuteMs);
}
