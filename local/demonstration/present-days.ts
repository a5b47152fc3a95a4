import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { linesOf } from '../sender';

/** In the folder of the run: where it is kept, the same sales must stay the same. */
const rememberedIn = 'demonstration.json';

/** The demonstration's days as days up to now: as if its last sale were made when the run began. */
export class PresentDays {
  private constructor(private readonly shiftMs: number) {}

  static async of(file: string, state: string, now = Date.now()): Promise<PresentDays> {
    const remembered = join(state, rememberedIn);
    if (existsSync(remembered)) return new PresentDays(JSON.parse(readFileSync(remembered, 'utf8')).shiftMs);
    let last = 0;
    for await (const line of linesOf(file)) last = Math.max(last, occurredMs(parsed(line)) ?? 0);
    const shiftMs = last === 0 ? 0 : now - last;
    writeFileSync(remembered, JSON.stringify({ shiftMs }));
    return new PresentDays(shiftMs);
  }

  /** The line of a sale at its new time; any other as it is. */
  move(line: string): string {
    const event = parsed(line);
    const at = occurredMs(event);
    return at === undefined
      ? line
      : JSON.stringify({ ...event, occurredAt: new Date(at + this.shiftMs).toISOString() });
  }
}

export function occurredMs(event: any): number | undefined {
  const at = typeof event?.occurredAt === 'string' ? Date.parse(event.occurredAt) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

function parsed(line: string): any {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
