/** Work that does not wait for one another. */

/**
 * As `Promise.all`, but not before all have ended: what fails is told when nothing of the others goes on any more, so that
 * it can be undone. Of several failures that of the first in the list, whichever came first.
 */
export async function together<T extends readonly unknown[]>(
  work: {
    readonly [K in keyof T]: Promise<T[K]>
  },
): Promise<T> {
  const ended = await Promise.allSettled(work)
  for (const one of ended) if (one.status === 'rejected') throw one.reason
  return Promise.all(work) as Promise<unknown> as Promise<T>
}
