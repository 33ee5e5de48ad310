/** A command with a guard, whose program is a script: `guarded.ts SCRIPT`. SIGUSR2 lets it go. */
import { systemProcesses } from '../../../src/node/processes.ts'
import { setGuard } from '../../../src/operations/guard.ts'
import type { Workspace } from '../../../src/operations/workspace.ts'

const [, , script = ''] = process.argv
const workspace = {
  program: ['sh', script],
  connectionName: 'private:guarded',
  root: '/a root',
  outside: { processes: systemProcesses, emit: () => {} },
} as unknown as Workspace
// For good: execa ends a process whose only listeners are its own.
const asked = new Promise<void>((resolve) => process.on('SIGUSR2', () => resolve()))
const guard = await setGuard(workspace)
console.log(guard === undefined ? 'no guard' : 'guarded')
await asked
await guard?.release()
console.log('released')
