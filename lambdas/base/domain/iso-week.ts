/** A week of ISO 8601 in UTC, as `2026-W48`: Monday to Sunday, of the year that its Thursday is in. Sorts as text. */
export type IsoWeek = string;

const dayMs = 86_400_000;

export function isoWeekOf(time: Date): IsoWeek {
  const thursday = new Date(mondayOf(time).getTime() + 3 * dayMs);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * dayMs));
  return `${year}-W${String(week).padStart(2, '0')}`;
}

/** Its first moment. Throws for what is no week: `2026-W54`. */
export function weekStart(week: IsoWeek): Date {
  const [, year, number] = /^(\d{4})-W(\d{2})$/.exec(week) ?? [];
  // The fourth of January is always in the first week.
  const first = mondayOf(new Date(Date.UTC(Number(year), 0, 4)));
  const start = new Date(first.getTime() + (Number(number) - 1) * 7 * dayMs);
  if (year === undefined || Number.isNaN(start.getTime()) || isoWeekOf(start) !== week)
    throw new Error(`week '${week}' is not in the calendar: use YYYY-Www, for example 2026-W48`);
  return start;
}

/** The first moment after it. */
export function weekEnd(week: IsoWeek): Date {
  return new Date(weekStart(week).getTime() + 7 * dayMs);
}

export function nextWeek(week: IsoWeek): IsoWeek {
  return isoWeekOf(weekEnd(week));
}

function mondayOf(time: Date): Date {
  const midnight = Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate());
  return new Date(midnight - ((time.getUTCDay() + 6) % 7) * dayMs);
}
