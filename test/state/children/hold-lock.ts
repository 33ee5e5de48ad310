/** Takes the lock, says so, and holds it for some milliseconds. Arguments: path, milliseconds. */
import { setTimeout as delay } from 'node:timers/promises'
import { withLock } from '../../../src/state/lock.ts'

const [path = '', holdMs = '0'] = process.argv.slice(2)
await withLock({ path, command: 'vmpkg install router-uni' }, async () => {
  console.log('holding')
  await delay(Number(holdMs))
})
