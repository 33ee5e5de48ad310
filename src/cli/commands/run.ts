import { findCloneGrants } from '../../operations/clone.ts'
import { openConsole } from '../../operations/console.ts'
import {
  type ChosenFace,
  chooseFace,
  endApp,
  type RunningApp,
  type RunRequest,
  showWindow,
  startApp,
} from '../../operations/run.ts'
import type { Workspace } from '../../operations/workspace.ts'
import { type CommandSpec, type Io, optionList, optionNumber, optionText, TIMEOUT_OPTION } from '../command.ts'
import { grantOptions } from '../grants.ts'
import { confirmGrants } from '../plan.ts'
import { tellLeft } from '../pool-left.ts'
import { formatCommand } from '../shell-words.ts'
import { attachTerminal, pipeLines } from '../terminal.ts'

const SILENCE_MS = 3000

export const command: CommandSpec = {
  args: '<package>',
  summary: 'Open an app in a machine of its own that is gone when its window or console is closed.',
  description:
    'The window is that of virt-viewer, remote-viewer or virt-manager, the first that is installed. Where there is no display, or the app has no screen, it is the serial console (Ctrl-] leaves); input that is not a terminal is sent to it line by line. With --json or --viewer none nothing is opened: what is printed says where the screen is, and the machine runs until it is stopped.',
  options: [
    { flags: '--viewer <name>', summary: 'virt-viewer, remote-viewer, virt-manager, console or none' },
    { flags: '--no-pool', summary: 'make a machine from scratch, also where one waits in a pool' },
    { flags: '--keep', summary: 'leave the machine running when its window is closed' },
    { flags: '--name <name>', summary: 'name of the machine (default: the package’s name and a number)' },
    { flags: '--net <network>', summary: 'router LAN to attach it to, such as uni0' },
    { flags: '--set <name=value>...', summary: 'set a parameter of the package (repeatable)' },
    { flags: '--profile <profile>...', summary: 'a named set of values, of the package or yours (repeatable)' },
    { flags: '--grant <capability>...', summary: 'grant a capability to the package, for this and later clones' },
    TIMEOUT_OPTION,
  ],
  examples: [
    'vmpkg run app-firefox --set url=https://www.debian.org/',
    'vmpkg run app-firefox --net sol0 --viewer remote-viewer',
    'echo "fetch http://198.51.100.1/" | vmpkg run app-console',
  ],
  async run({ args, options, io }) {
    const [packageName = ''] = args
    const workspace = await io.workspace({ write: 'late' })
    const chosen = await chooseFace(workspace, optionText(options, 'viewer') ?? (io.json ? 'none' : undefined))
    const request: RunRequest = {
      package: packageName,
      name: optionText(options, 'name'),
      net: optionText(options, 'net'),
      pool: options['pool'] !== false,
      set: optionList(options, 'set'),
      profiles: optionList(options, 'profile'),
      // Lines that nobody is there to read yet would be lost.
      wait: chosen.face.kind === 'console' && !io.stdin.isTTY,
      timeoutSeconds: optionNumber(options, 'timeout', 1),
      grants: grantOptions(options),
      face: chosen.face,
      keep: options['keep'] === true,
    }
    const asked = { ...request, ephemeral: true, start: true, dryRun: false }
    const missing = await findCloneGrants(workspace, asked)
    const granted = await confirmGrants(io, missing, formatCommand('run', args, options, command.options))
    const app = await startApp(workspace, { ...request, grants: [...request.grants, ...granted] })
    if (app.pooled === true) await tellLeft(workspace, io, packageName)
    if (io.json) {
      const { name, uuid, net, display = null } = app
      io.printJson('run', { name, uuid, net, display })
      return 0
    }
    io.print(app.name)
    try {
      await show(workspace, io, app, chosen)
    } finally {
      if (app.isAttended) await endApp(workspace, app)
    }
    if (app.isAttended) io.note(`${app.name} is gone`)
    return 0
  },
}

async function show(workspace: Workspace, io: Io, app: RunningApp, { face, reason }: ChosenFace): Promise<void> {
  const { name, display } = app
  if (face.kind === 'none') {
    if (display !== undefined) io.print(display.uri)
    io.note(`It runs until: vmpkg stop ${name}`)
  } else if (face.kind === 'window' && display !== undefined) {
    io.note(`${name} in ${face.viewer.name} (${reason}); it ends with the window`)
    await showWindow(workspace, app, face.viewer)
  } else {
    const why = face.kind === 'window' ? 'the machine has no screen' : reason
    const stream = await openConsole(workspace, { name, force: false })
    if (!io.stdin.isTTY) return pipeLines(stream, io, SILENCE_MS)
    io.note(`Console of ${name} (${why}). Ctrl-] leaves.`)
    await attachTerminal(stream, io)
  }
}
