/**
 * A machine for as long as its window is open: an ephemeral clone, a viewer on its screen, and nothing of it afterwards.
 * libvirt ends the machine when the connection that made it is gone (autodestroy), so whatever ends this process ends
 * the machine too. One that comes out of a pool was started by somebody else: a guard ends that, and removes what either
 * leaves.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Display, readDisplay } from '../domain/display.ts'
import { absent } from '../domain/inventory.ts'
import { destroyOwnDomain } from '../domain/removal.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { findPrivateHost } from '../host/private-host-record.ts'
import { privateHostPrefix } from '../host/private-host-run.ts'
import { findViewer, getViewer, hasScreen, type Viewer, viewerArguments } from '../host/viewer.ts'
import type { RunResult } from '../ports.ts'
import { type CloneRequest, type CloneResult, clone } from './clone.ts'
import { privateFolders } from './connection.ts'
import { privateHostName } from './connection-name.ts'
import { type Guard, setGuard } from './guard.ts'
import { forgetClone } from './stop.ts'
import type { Workspace } from './workspace.ts'

const POLL_MS = 500
/** A viewer notices by itself that the machine is gone; one that does not is ended. */
const LEAVE_MS = 3000

/** What the machine is shown with: a program's window, its serial console here, or nothing. */
type Face = { readonly kind: 'window'; readonly viewer: Viewer } | { readonly kind: 'console' | 'none' }

export interface ChosenFace {
  readonly face: Face
  readonly reason: string
}

export interface RunRequest extends Omit<CloneRequest, 'ephemeral' | 'start' | 'dryRun'> {
  readonly face: Face
  /** It stays when the window is closed, until it is stopped. */
  readonly keep: boolean
}

export interface RunningApp extends CloneResult {
  readonly display: Display | undefined
  /** Ends with this process. */
  readonly isAttended: boolean
  readonly guard: Guard | undefined
}

/**
 * Before anything is made, what it will be shown with.
 * @param wanted a viewer's name, `console` or `none`
 * @throws {VmpkgError} `USAGE` `TOOL_MISSING`
 */
export async function chooseFace(workspace: Workspace, wanted: string | undefined): Promise<ChosenFace> {
  const { env } = workspace
  const place = { isLocal: isLocal(workspace) }
  if (wanted === 'none' || wanted === 'console') return { face: { kind: wanted }, reason: `--viewer ${wanted}` }
  if (wanted !== undefined) {
    return { face: { kind: 'window', viewer: await getViewer(wanted, env, place) }, reason: `--viewer ${wanted}` }
  }
  if (!hasScreen(env)) {
    return { face: { kind: 'console' }, reason: 'there is no display here: DISPLAY and WAYLAND_DISPLAY are not set' }
  }
  const viewer = await findViewer(env, place)
  if (viewer !== undefined) return { face: { kind: 'window', viewer }, reason: `${viewer.name} is installed` }
  return { face: { kind: 'console' }, reason: 'no viewer is installed: apt install virt-viewer' }
}

/** @throws {VmpkgError} as `clone` */
export async function startApp(workspace: Workspace, { face, keep, ...request }: RunRequest): Promise<RunningApp> {
  const isAttended = face.kind !== 'none' && !keep
  // Before there is anything to end.
  const guard = isAttended ? await setGuard(workspace) : undefined
  const isPoolFit = !isAttended || guard !== undefined
  if (request.pool === true && !isPoolFit) {
    const message = 'A machine of a pool could outlive this command here, so one is made from scratch'
    workspace.outside.emit({ type: 'noted', message })
  }
  const whole = { ephemeral: true, autodestroy: isAttended, start: true, dryRun: false }
  let made: CloneResult | undefined
  try {
    made = await clone(workspace, { ...request, ...whole, pool: request.pool === true && isPoolFit })
    await workspace.unlock() // others go on while the window is open
    const connect = await workspace.connect()
    const domain = await connect.domainLookupByUuid({ uuid: made.uuid }).catch(absent('noDomain'))
    const live = await domain?.getXMLDesc().catch(absent('noDomain'))
    return { ...made, display: live === undefined ? undefined : readDisplay(live), isAttended, guard }
  } catch (error) {
    if (made === undefined || !isAttended) await guard?.release()
    else await endApp(workspace, { ...made, guard })
    throw error
  }
}

/**
 * Returns when the window is closed or the machine has ended.
 * @throws {VmpkgError} `VIEWER_FAILED` `ABORTED`
 */
export async function showWindow(workspace: Workspace, app: RunningApp, viewer: Viewer): Promise<void> {
  const { signal } = workspace.outside
  const over = new AbortController()
  const shown = startViewer(workspace, app, viewer, AbortSignal.any([signal, over.signal]))
  const closed = shown.then(
    () => true,
    () => true,
  )
  while (!(await Promise.race([closed, sleep(POLL_MS, false)]))) {
    if (await isThere(workspace, app)) continue
    await Promise.race([closed, sleep(LEAVE_MS)])
    over.abort()
    break
  }
  const result = await shown.catch((error: unknown) => {
    if (over.signal.aborted && isVmpkgError(error, 'ABORTED')) return undefined
    throw error
  })
  if (result === undefined || result.exitCode === 0 || !(await isThere(workspace, app))) return
  const said = result.stderr.trim().split('\n').at(-1)?.slice(0, 200) ?? ''
  throw new VmpkgError(
    'VIEWER_FAILED',
    `${viewer.name} ended with status ${result.exitCode}: ${JSON.stringify(said)}`,
    {
      hint: 'Choose another one with --viewer, or --viewer console.',
      details: { viewer: viewer.name, exitCode: result.exitCode },
    },
  )
}

/** A private host, or a libvirt whose socket is on this host. */
function isLocal({ connectionName }: Workspace): boolean {
  return privateHostName(connectionName) !== undefined || /^[a-z]+(?:\+unix)?:\/\/\//.test(connectionName)
}

/** Inside a private host the machine's screen is on that host's own loopback and sockets, so the viewer runs there. */
async function startViewer(
  workspace: Workspace,
  { uuid, display }: RunningApp,
  { name, program }: Viewer,
  signal: AbortSignal,
): Promise<RunResult> {
  const { processes } = workspace.outside
  const env = Object.fromEntries(
    Object.entries(workspace.env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
  const displayUri = display?.uri ?? ''
  const hostName = privateHostName(workspace.connectionName)
  const host = hostName === undefined ? undefined : await findPrivateHost(hostName, privateFolders(workspace))
  if (host === undefined) {
    const shown = { uri: workspace.uri, uuid, displayUri, isLocal: isLocal(workspace) }
    return processes.run(program, viewerArguments(name, shown), { env, signal })
  }
  const [enter, ...words] = privateHostPrefix(host)
  const args = viewerArguments(name, { uri: 'qemu:///system', uuid, displayUri, isLocal: true })
  return processes.run(enter, [...words, program, ...args], { env, signal })
}

/** Ends a machine that nobody looks at any more; safe to run twice, and when it has ended already. */
export async function endApp(workspace: Workspace, { uuid, guard }: Pick<RunningApp, 'uuid' | 'guard'>): Promise<void> {
  try {
    await destroyOwnDomain(await workspace.connect(), uuid)
    await forgetClone(workspace, uuid)
  } finally {
    await guard?.release()
  }
}

async function isThere(workspace: Workspace, { uuid }: Pick<RunningApp, 'uuid'>): Promise<boolean> {
  const connect = await workspace.connect()
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  return (await domain?.isActive().catch(absent('noDomain'))) ?? false
}
