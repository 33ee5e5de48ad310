/**
 * A machine out of a pool against libvirt's own resume over an open connection, and against one that is made and booted. Real
 * guests in a private host; each call is made in this process, over a connection that is open.
 *
 * VMPKG_BENCH_CACHE names a folder that keeps downloaded Debian packages between runs.
 */
import { systemOutside } from '../../src/node/outside.ts'
import { type CloneRequest, clone } from '../../src/operations/clone.ts'
import { fillPools, listPools } from '../../src/operations/pool.ts'
import { stopMachines } from '../../src/operations/stop.ts'
import { waitForMachines } from '../../src/operations/wait.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import { type Cli, makeCli } from '../support/cli.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { formatRows, interleave, type Report } from './measure.ts'

const APP = 'app-console'
const NAME = 'bench-machine'
const ROUNDS = 3
const MIB = 1024 ** 2

export async function measurePool(): Promise<Report> {
  const cli = await makeCli('private:bench')
  try {
    await publishTemplates(cli, ['router-uni', APP], process.env['VMPKG_BENCH_CACHE'])
    await cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-uni', APP])
    await cli.ok(['pool', 'set', APP, '1'])
    const workspace = await openHere(cli)
    try {
      return await measure(workspace)
    } finally {
      await workspace.close()
    }
  } finally {
    await cli.close()
  }
}

async function measure(workspace: Workspace): Promise<Report> {
  const connect = await workspace.connect()
  const held: number[] = []
  const timings = await interleave(ROUNDS, {
    hit: async () => {
      await fillPools(workspace)
      const { pools } = await listPools(workspace)
      held.push(...pools.flatMap(({ members }) => members.map(({ heldBytes }) => heldBytes)))
      const began = performance.now()
      const { pooled } = await clone(workspace, { ...REQUEST, pool: true })
      const took = performance.now() - began
      if (pooled !== true) throw new Error('it did not come out of the pool')
      return took
    },
    resume: async () => {
      const { uuid } = (await connect.listAllDomains({ flags: ['active'] }))[0] ?? {}
      if (uuid === undefined) throw new Error('nothing runs')
      const domain = await connect.domainLookupByUuid({ uuid })
      await domain.suspend()
      const began = performance.now()
      await domain.resume()
      const took = performance.now() - began
      await end(workspace)
      return took
    },
    cold: async () => {
      const began = performance.now()
      await clone(workspace, { ...REQUEST, pool: false })
      const made = performance.now() - began
      colds.push(made)
      await waitForMachines(workspace, { names: [NAME], condition: { kind: 'ready' }, timeoutSeconds: 120 })
      const took = performance.now() - began
      await end(workspace)
      return took
    },
  })
  const perMember = Math.round(held.reduce((sum, one) => sum + one, 0) / held.length / MIB)
  const booted = { name: 'made and booted until its agent is ready', milliseconds: timings.cold }
  const started = { name: 'made and started, not booted', milliseconds: colds.slice(1) }
  return {
    title: 'A machine out of a pool',
    about:
      `\`${APP}\`, ${ROUNDS} rounds, over an open connection; a hit ends when its guest has its identity and its link is up. ` +
      `One that waits holds ${perMember} MiB of the host (128 MiB of them the guest’s own memory, at most). The goal against ` +
      'libvirt’s own resume is 3: a hit waits for the guest’s word, which an emulated processor needs most of the time for.',
    table: formatRows([
      { what: 'hit', milliseconds: timings.hit, peer: { name: 'resume', milliseconds: timings.resume }, goal: 3 },
      { what: 'hit', milliseconds: timings.hit, peer: booted, goal: 0.1 },
      { what: 'hit', milliseconds: timings.hit, peer: started },
    ]),
  }
}

const colds: number[] = []

const REQUEST: Omit<CloneRequest, 'count'> = {
  package: APP,
  name: NAME,
  net: undefined,
  ephemeral: true,
  mode: undefined,
  set: [],
  profiles: [],
  grants: [],
  start: true,
  wait: false,
  timeoutSeconds: undefined,
  dryRun: false,
}

async function end(workspace: Workspace): Promise<void> {
  await workspace.lock()
  await stopMachines(workspace, { names: [NAME], force: true, cascade: false })
}

function openHere(cli: Cli): Promise<Workspace> {
  return openWorkspace({
    outside: systemOutside({ emit: () => {}, signal: new AbortController().signal, env: cli.env, offline: true }),
    root: cli.env['VMPKG_ROOT'],
    connect: cli.env['VMPKG_CONNECT'],
    env: cli.env,
    uid: process.getuid?.() ?? 0,
    home: cli.folder,
    folder: cli.folder,
    command: ['bench'],
    write: 'late',
  })
}
