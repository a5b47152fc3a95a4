/**
 * Works through things in order, at most so many at once. After a failure nothing new is begun, and it is thrown, the first
 * of several, once all that was under way has ended: nothing goes on behind whoever tries again.
 */
export async function inParallel<T>(things: Iterable<T>, atOnce: number, work: (thing: T) => Promise<void>) {
  const left = things[Symbol.iterator]();
  const errors: unknown[] = [];
  const worker = async () => {
    try {
      for (let next = left.next(); !next.done && errors.length === 0; next = left.next()) await work(next.value);
    } catch (error) {
      errors.push(error);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (errors.length > 0) throw errors[0];
}
