/** Works through things in order, at most so many at once. After a failure nothing new is begun. */
export async function inParallel<T>(things: Iterable<T>, atOnce: number, work: (thing: T) => Promise<void>) {
  const left = things[Symbol.iterator]();
  let failed = false;
  const worker = async () => {
    try {
      for (let next = left.next(); !next.done && !failed; next = left.next()) await work(next.value);
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
