/**
 * Which program shows a machine's screen, and how it is called. virt-viewer first: it takes the screen through libvirt,
 * so that no port is open to other users of this host, and it ends with its window. remote-viewer, of the same package,
 * wants an address that it can reach; virt-manager shows more than the one machine.
 *
 * Sources: virt-viewer(1), remote-viewer(1), virt-manager(1).
 */
import { VmpkgError } from '../errors.ts'
import { findExecutable } from './program-path.ts'

const VIEWERS = ['virt-viewer', 'remote-viewer', 'virt-manager'] as const

export type ViewerName = (typeof VIEWERS)[number]

export interface Viewer {
  readonly name: ViewerName
  /** Absolute path. */
  readonly program: string
}

/** What there is to show. */
export interface Shown {
  /** As the viewer has to name the connection. */
  readonly uri: string
  readonly uuid: string
  /** As remote-viewer takes it. */
  readonly displayUri: string
  /** Whether libvirt runs here, and can hand the screen over as an open descriptor. */
  readonly isLocal: boolean
}

const DEBIAN_PACKAGES: Readonly<Record<ViewerName, string>> = {
  'virt-viewer': 'virt-viewer',
  'remote-viewer': 'virt-viewer',
  'virt-manager': 'virt-manager',
}

type Environment = Readonly<Record<string, string | undefined>>

/** Whether a window could appear anywhere. */
export function hasScreen(env: Environment): boolean {
  return [env['DISPLAY'], env['WAYLAND_DISPLAY']].some((value) => value !== undefined && value !== '')
}

/** The first that is installed and can show a machine of that libvirt; `undefined` for none. */
export async function findViewer(env: Environment, { isLocal }: Pick<Shown, 'isLocal'>): Promise<Viewer | undefined> {
  for (const name of VIEWERS) {
    if (name === 'remote-viewer' && !isLocal) continue
    const program = await findProgram(name, env)
    if (program !== undefined) return { name, program }
  }
  return undefined
}

/** The one that the user named. @throws {VmpkgError} `USAGE` `TOOL_MISSING` */
export async function getViewer(
  wanted: string,
  env: Environment,
  { isLocal }: Pick<Shown, 'isLocal'>,
): Promise<Viewer> {
  const name = VIEWERS.find((one) => one === wanted)
  if (name === undefined) {
    throw new VmpkgError('USAGE', `No such viewer: ${JSON.stringify(wanted.slice(0, 40))}`, {
      hint: `Choose one of ${VIEWERS.join(', ')}, console or none.`,
    })
  }
  if (name === 'remote-viewer' && !isLocal) {
    throw new VmpkgError('USAGE', 'remote-viewer cannot reach the screen of a machine on another host', {
      hint: 'virt-viewer and virt-manager go there through libvirt’s own connection.',
    })
  }
  const program = await findProgram(name, env)
  if (program !== undefined) return { name, program }
  throw new VmpkgError('TOOL_MISSING', `The viewer ${name} is not there`, {
    hint: `Install it with: apt install ${DEBIAN_PACKAGES[name]}`,
    details: { program: name, debianPackage: DEBIAN_PACKAGES[name] },
  })
}

/** Its arguments. Each ends when its window is closed. */
export function viewerArguments(name: ViewerName, { uri, uuid, displayUri, isLocal }: Shown): readonly string[] {
  switch (name) {
    case 'virt-viewer':
      return ['--connect', uri, ...(isLocal ? ['--attach'] : []), '--', uuid]
    case 'remote-viewer':
      return ['--', displayUri]
    case 'virt-manager':
      return ['--connect', uri, '--show-domain-console', uuid, '--no-fork']
  }
}

/** In the user's own search path: it is the user's own program, with the user's rights. */
async function findProgram(name: string, env: Environment): Promise<string | undefined> {
  return findExecutable(
    name,
    (env['PATH'] ?? '').split(':').filter((one) => one.startsWith('/')),
  )
}
