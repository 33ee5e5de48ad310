/**
 * Ends the machines of this command when the command is gone, however it ended, `kill -9` too. libvirt's autodestroy is a
 * flag of the start, and a machine out of a pool was started by somebody else.
 *
 * A shell in a session of its own waits at a pipe whose other end only this process has. When the kernel closes it and no
 * word has come, it runs `vmpkg gc --machines`, which ends every machine whose attendant is gone: it needs to know none.
 */
import { PassThrough } from 'node:stream'
import { isVmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import type { Workspace } from './workspace.ts'

/** The second time for what libvirt has ended meanwhile. */
const SCRIPT = `trap '' HUP INT TERM
cd /
echo ready
exec >/dev/null 2>&1
read -r word && exit 0
exec </dev/null
"$@"
sleep 2
exec "$@"`

/** How often one that somebody killed is set again. */
const SET_AGAIN = 5

export interface Guard {
  /** There is nothing to guard any more. */
  release(): Promise<void>
}

interface Shell {
  readonly pipe: PassThrough
  readonly isReady: Promise<boolean>
  readonly ended: Promise<void>
}

/** `undefined` where none can be: this is a library and no program, or a program is missing. */
export async function setGuard(workspace: Workspace): Promise<Guard | undefined> {
  const { program, connectionName, root, outside } = workspace
  if (program === undefined) return undefined
  const place = ['--connect', connectionName, ...(root === undefined ? [] : ['--root', root])]
  const words = [...program, 'gc', '--machines', '--quiet', ...place]
  let shell = begin(outside.processes, words)
  if (!(await shell.isReady)) return undefined
  let isOver = false
  const keeping = (async () => {
    for (let times = 0; times <= SET_AGAIN; times++) {
      await shell.ended
      if (isOver) return
      if (times < SET_AGAIN) shell = begin(outside.processes, words)
    }
    const message = 'Who would end this machine, should this command be killed, is ended again and again'
    outside.emit({ type: 'noted', message })
  })()
  return {
    async release() {
      isOver = true
      shell.pipe.end('done\n')
      await keeping
    },
  }
}

function begin(processes: Processes, words: readonly string[]): Shell {
  const pipe = new PassThrough()
  pipe.on('error', () => {}) // it was killed
  const { promise: isReady, resolve } = Promise.withResolvers<boolean>()
  const options = { input: pipe, onOutput: () => resolve(true) }
  const ended = processes.run('setsid', ['sh', '-c', SCRIPT, 'sh', ...words], options).then(
    () => resolve(false),
    (error: unknown) => {
      resolve(false)
      if (!isVmpkgError(error)) throw error
    },
  )
  return { pipe, isReady, ended }
}
