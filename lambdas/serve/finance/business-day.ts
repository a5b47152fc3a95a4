/** A date as text, yyyy-MM-dd. */
export type Day = string;

export function addDays(day: Day, days: number): Day {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** All days from the first to the last. */
export function daysBetween(first: Day, last: Day): Day[] {
  const days: Day[] = [];
  for (let day = first; day <= last; day = addDays(day, 1)) days.push(day);
  return days;
}

/** The day that is so many weekdays later. From a weekend it counts as from the Friday before; holidays are not known. */
export function addWeekdays(day: Day, weekdays: number): Day {
  let current = day;
  while (isWeekend(current)) current = addDays(current, -1);
  for (let left = weekdays; left > 0; ) {
    current = addDays(current, 1);
    if (!isWeekend(current)) left--;
  }
  return current < day ? day : current;
}

function isWeekend(day: Day): boolean {
  return [0, 6].includes(new Date(`${day}T00:00:00Z`).getUTCDay());
}
