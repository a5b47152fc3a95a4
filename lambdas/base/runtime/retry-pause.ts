import { setTimeout as delay } from 'node:timers/promises';

/** The pause before a retry: twice as long each time, and never the same for two that failed together. */
export function retryPause(firstMs: number, retry: number, longestMs = Number.POSITIVE_INFINITY): Promise<void> {
  return delay(Math.min(firstMs * 2 ** (retry - 1), longestMs) * (0.5 + Math.random() / 2));
}
