/** What is said of files that are refused for their size. */
import { formatSize } from '../model/size.ts'
import type { Entry } from './entry.ts'

/** @param size where it is known: some readers only see that there is more */
export function tooLarge(size: number | undefined, maxSize: number): Entry & { state: 'unreadable' } {
  const has = size === undefined ? 'more' : `${size} bytes, more`
  return {
    state: 'unreadable',
    reason: `It has ${has} than --max-size ${formatSize(maxSize)}`,
    size: size ?? maxSize + 1,
  }
}
