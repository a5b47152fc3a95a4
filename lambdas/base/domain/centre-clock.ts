const dayMs = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What the clock on a centre's wall says at an instant. */
export interface CentreClock {
  /** The centre's own day, `yyyy-MM-dd`. */
  readonly day: string;
  /**
   * Whether orders for this day are closed: from the first moment at which the clock shows the cut-off, or a later time
   * where it was set forward over it. A clock that is set back afterwards does not open the day again. So a cut-off of
   * 00:00 closes the whole day, and one of 24:00 leaves it open.
   */
  readonly isPastCutoff: boolean;
}

/** The clock of a centre; undefined where its zone (an IANA name) or its cut-off (`HH:MM` or `HH:MM:SS`) says nothing. */
export function centreClock(timeZone: string, cutoff: string, now: number): CentreClock | undefined {
  const cutoffMs = timeOfDay(cutoff);
  const face = clockFace(timeZone, now);
  if (cutoffMs === undefined || face === undefined) return undefined;
  const midnight = Math.floor(face / dayMs) * dayMs;
  const closing = midnight + cutoffMs;
  return {
    day: new Date(midnight).toISOString().slice(0, 10),
    isPastCutoff: face >= closing || wasShownBefore(timeZone, closing, now),
  };
}

/** Whether the clock has shown this face before, and was set back since. Zones change at most once in a day. */
function wasShownBefore(timeZone: string, face: number, now: number): boolean {
  const yesterday = Math.floor((now - dayMs) / 1_000) * 1_000;
  const offsetThen = clockFace(timeZone, yesterday)! - yesterday;
  const instant = face - offsetThen;
  return instant <= now && clockFace(timeZone, instant) === face;
}

/** The face of a zone's clock, to the second, as if it were UTC; undefined where there is no such zone. */
export function clockFace(timeZone: string, at: number): number | undefined {
  let format = formats.get(timeZone);
  if (format === undefined) {
    try {
      // Costs a hundred times what its use does.
      format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
        timeZone,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch {
      return undefined;
    }
    formats.set(timeZone, format);
  }
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of format.formatToParts(at)) parts[type] = Number(value);
  return Date.UTC(parts.year!, parts.month! - 1, parts.day!, parts.hour!, parts.minute!, parts.second!);
}

function timeOfDay(text: string): number | undefined {
  const [, hours, minutes, seconds = '0'] = /^([01]\d|2[0-4]):([0-5]\d)(?::([0-5]\d)(?:\.0+)?)?$/.exec(text) ?? [];
  if (hours === undefined) return undefined;
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  return ms <= dayMs ? ms : undefined;
}
