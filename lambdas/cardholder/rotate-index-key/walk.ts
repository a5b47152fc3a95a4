import type { RotationStatus } from './handler';
import type { Action } from './rotation';

/** How the walk reaches the function, waits and speaks. */
export interface WalkSurroundings {
  ask(action: Action): Promise<RotationStatus>;
  wait(seconds: number): Promise<void>;
  say(line: string): void;
}

const verifyRounds = 5;

/**
 * Walks a rotation of the index key from wherever it stands to its end: start, wait, backfill, verify until nothing is
 * found, finish, wait, purge, retire. Every step can be stopped and walked again; sales go on all the while.
 */
export async function walkRotation({ ask, wait, say }: WalkSurroundings): Promise<void> {
  const { phase } = await ask('status');
  say(`phase ${phase}`);
  if (phase === 'old') await step('start');
  if (phase !== 'new') {
    await pass('backfill');
    for (let round = 1; ; round++) {
      const found = await pass('verify');
      if (found.copied === 0 && found.mismatched === 0) break;
      if (found.mismatched > 0) throw new Error(`${found.mismatched} cards have another token under the new index key`);
      if (round === verifyRounds)
        throw new Error(`after ${round} rounds cards are still missing under the new index key`);
    }
    await step('finish');
  }
  await pass('purge');
  await step('retire');
  say('the index key is changed');

  async function step(action: Action): Promise<RotationStatus> {
    for (;;) {
      const status = await ask(action);
      if (status.waiting === undefined) {
        say(`${action}: phase ${status.phase}`);
        return status;
      }
      const seconds = /: wait (\d+) s$/.exec(status.waiting)?.[1];
      if (seconds === undefined) throw new Error(status.waiting);
      say(status.waiting);
      await wait(Number(seconds));
    }
  }

  async function pass(action: 'backfill' | 'verify' | 'purge') {
    for (;;) {
      const { pass: done } = await step(action);
      if (done === undefined) throw new Error(`${action} left no trace: ask for status`);
      say(`${action}: ${done.cards} cards, ${done.copied} copied, ${done.mismatched} with another token`);
      if (done.done) return done;
    }
  }
}
