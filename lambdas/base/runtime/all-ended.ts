/**
 * Waits until all have ended, then answers like Promise.all or throws the first error: whoever is told of a failure can
 * begin anew and meets nothing of the old work.
 */
export async function allEnded<Results extends readonly unknown[]>(
  work: {
    readonly [Place in keyof Results]: Promise<Results[Place]>;
  },
): Promise<Results> {
  const outcomes = await Promise.allSettled(work);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as unknown as Results;
}
