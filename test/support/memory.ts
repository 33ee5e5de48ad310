/** How much memory this process holds, for tests that bound it. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const MIB = 2 ** 20

/** What is alive after a collection: objects and buffers, MiB. */
export function heldMib(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / MIB
}

/** Follows the resident set; the returned function ends that and gives the most it grew by, MiB. */
export function watchMemory(): () => number {
  collect()
  const before = process.memoryUsage.rss()
  let most = before
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss())
  }
  const timer = setInterval(look, 5).unref()
  return () => {
    clearInterval(timer)
    look()
    return (most - before) / MIB
  }
}
