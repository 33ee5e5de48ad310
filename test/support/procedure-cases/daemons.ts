/** The daemons of the exercise: how each is started, and what it takes to skip one. */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AGENT_SUITE, libvirtTree, withoutTrees } from '../libvirt-tree.ts'
import { startTestHost } from '../private-host.ts'
import { type DaemonOptions, type PrivateLibvirt, startPrivateLibvirt } from '../private-libvirt.ts'
import { startTreeHost } from '../tree-host.ts'
import type { ExerciseDaemon } from './exercise.ts'

const HOST_UUIDS = ['8f8bb1f4-0000-4000-8000-000000000001', '8f8bb1f4-0000-4000-8000-000000000002'] as const

const hostUuid = (uuid: string) => `host_uuid = "${uuid}"\n`

/** A session daemon: libvirtd, or the virtqemud at a path. */
export async function startSession(program?: string): Promise<ExerciseDaemon> {
  const named: DaemonOptions = program === undefined ? {} : { program }
  const start = (config: string) => startPrivateLibvirt({ ...named, config })
  const own = await sessionDaemon(await start(hostUuid(HOST_UUIDS[0])))
  return {
    ...own,
    agentGuest: await bringAgentGuest(own),
    startPeer: async () => sessionDaemon(await start(hostUuid(HOST_UUIDS[1]))),
  }
}

async function sessionDaemon(daemon: PrivateLibvirt): Promise<ExerciseDaemon> {
  const folder = await daemon.makeFolder('x')
  return {
    uri: daemon.uri(),
    testUri: daemon.socket.endsWith('/libvirt-sock') ? daemon.uri('test:///default') : undefined,
    folder,
    makeFile: (name, content) => daemon.makeFile(join(folder, name), content),
    makeFolder: (name) => daemon.makeFolder(join('x', name)),
    async writeLeases(bridge, leases) {
      const at = join(daemon.env['XDG_RUNTIME_DIR'] ?? '', 'libvirt/dnsmasq/lib')
      await mkdir(at, { recursive: true })
      await daemon.makeFile(join(at, `${bridge}.status`), Buffer.from(leases))
    },
    [Symbol.asyncDispose]: () => daemon.stop(),
  }
}

/** The system daemon of this machine's release, in a private host. */
export async function startSystem(): Promise<ExerciseDaemon> {
  const host = await startTestHost()
  await chmod(host.dir, 0o755)
  const own = systemDaemon(host.dir, host.uri)
  return {
    ...own,
    agentGuest: await bringAgentGuest(own),
    startPeer: async () => sessionDaemon(await startPrivateLibvirt({ config: hostUuid(HOST_UUIDS[1]) })),
    async writeLeases(bridge, leases) {
      await writeFile(join(host.host.durableFolder, 'lib/dnsmasq', `${bridge}.status`), leases)
    },
    [Symbol.asyncDispose]: () => host.stop(),
  }
}

/** The system daemon of another release of Debian. */
export async function startFromTree(suite: string): Promise<ExerciseDaemon> {
  const tree = await libvirtTree(suite)
  const start = async (uuid: string, shared?: string): Promise<ExerciseDaemon> => {
    const host = await startTreeHost(tree, uuid, shared)
    return {
      ...systemDaemon(host.folder, `qemu+unix:///system?socket=${host.socket}`),
      writeLeases: (bridge, leases) =>
        writeFile(`/proc/${host.pid}/root/var/lib/libvirt/dnsmasq/${bridge}.status`, leases),
      [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
    }
  }
  const own = await start(HOST_UUIDS[0])
  const agentGuest = await bringAgentGuest(own)
  return { ...own, agentGuest, startPeer: () => start(HOST_UUIDS[1], own.folder) }
}

/** The small Linux of a tree, where the daemon finds it; nothing without trees. */
async function bringAgentGuest(daemon: ExerciseDaemon): Promise<ExerciseDaemon['agentGuest']> {
  if (withoutTrees !== false) return undefined
  const guest = join(await libvirtTree(AGENT_SUITE), 'root/opt/agent-guest')
  const bring = async (name: string) => daemon.makeFile(name, await readFile(join(guest, name)))
  return { kernel: await bring('kernel'), initrd: await bring('initrd') }
}

function systemDaemon(folder: string, uri: string): ExerciseDaemon {
  return {
    uri,
    testUri: uri.replace('qemu+unix:///system', 'test+unix:///default'),
    folder,
    async makeFile(name, content) {
      const path = join(folder, name)
      await writeFile(path, content)
      await chmod(path, 0o666)
      return path
    },
    async makeFolder(name) {
      const path = join(folder, name)
      await mkdir(path)
      await chmod(path, 0o777)
      return path
    },
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true })
    },
  }
}
