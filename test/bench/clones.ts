/**
 * A clone that is defined and runs against what others make of the same disk: virt-clone, virt-install, and the least there
 * is, an overlay by qemu-img and libvirt's own create. In a private host; guests without a system, since booting is no part of it.
 * Needs virt-clone and virt-install (Debian's virtinst).
 */
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeOverlay } from '../../src/image/qcow2-overlay.ts'
import type { Connect } from '../../src/libvirt/connect.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { clone } from '../../src/operations/clone.ts'
import { removeClones } from '../../src/operations/rm.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import type { Cli } from '../support/cli.ts'
import { noise } from '../support/disk-image.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp } from '../support/tiny-packages.ts'
import { formatMs, formatRows, interleave, median, type Report, runProgram } from './measure.ts'

const TOP = join(import.meta.dirname, '..', '..')
const VMPKG = join(TOP, 'dist', 'bin.js')
const HOST = 'bench'
const APP = 'app-bench'
const MIB = 1024 ** 2
const DISK_BYTES = 256 * MIB
const ROUNDS = 7
const MANY = 100
const VIRSH = 'virsh -q -c qemu:///system'

export async function measureClones(): Promise<Report> {
  if (['virt-clone', 'virt-install'].some((one) => spawnSync(one, ['--version']).status !== 0)) {
    throw new Error('part clones needs virt-clone and virt-install: apt-get install --no-install-recommends virtinst')
  }
  // No network, so that it starts alone.
  const plain = tinyApp(APP, { image: noise(APP, DISK_BYTES) })
  const manifest = (plain.manifest ?? '').replace(/^capabilities:.*\n/m, '')
  const site = await makeSite(HOST, [{ ...plain, manifest }])
  try {
    await site.cli.ok(['install', '-y', APP])
    await site.cli.ok(['clone', APP, '--name', 'source', '--no-start'])
    return await measure(site)
  } finally {
    await site.close()
  }
}

async function measure(site: Site): Promise<Report> {
  const { env, folder } = site.cli
  const xml = await site.virsh('dumpxml', '--inactive', 'source')
  const overlay = /<source file='([^']+\.qcow2)'/.exec(xml)?.[1] ?? ''
  const base = /backing file: (\S+)/.exec(runProgram('qemu-img', ['info', overlay]))?.[1] ?? ''
  if (!existsSync(base)) throw new Error(`no base of ${overlay}`)
  const at = (name: string): string => join(folder, name)
  const vmpkg = (...args: readonly string[]): void => void runProgram(process.execPath, [VMPKG, ...args], { env })
  /** Milliseconds of commands in one shell beside libvirtd; what comes after `;` of `end` does not count. */
  const inside = (commands: string, end: string): number => {
    const script = `set -e; a=$(date +%s%N); { ${commands}; } >/dev/null; b=$(date +%s%N); { ${end}; } >/dev/null; echo $((b-a))`
    const words = [VMPKG, 'host', 'private', 'shell', HOST, '--', 'sh', '-c', script]
    return Number(runProgram(process.execPath, words, { env })) / 1e6
  }
  const disk = at('peer.qcow2')
  const makeDisk = `qemu-img create -q -f qcow2 -F raw -b ${base} ${disk}`
  const gone = (name: string): string => `${VIRSH} destroy ${name}; ${VIRSH} undefine ${name} --nvram; rm -f ${disk}`
  const other = (path: string, name = 'peer'): string =>
    withoutMetadata(xml)
      .replaceAll(overlay, path)
      .replace(/<name>[^<]*/, `<name>${name}`)
      .replace(/<uuid>[^<]*/, `<uuid>${randomUUID()}`)
  const timings = await interleave(ROUNDS, {
    clone: () => {
      const began = performance.now()
      vmpkg('clone', APP, '--name', 'made')
      const took = performance.now() - began
      vmpkg('rm', '-y', '--force', 'made')
      return took
    },
    virtClone: () =>
      inside(
        `virt-clone --connect qemu:///system --original source --name peer --file ${disk}; ${VIRSH} start peer`,
        gone('peer'),
      ),
    virtInstall: () =>
      inside(
        `${makeDisk}; virt-install --connect qemu:///system --name peer --memory 64 --import --disk path=${disk},format=qcow2 ` +
          '--network none --graphics none --osinfo detect=off,require=off --noautoconsole --virt-type qemu',
        gone('peer'),
      ),
    floor: () => {
      writeFileSync(at('peer.xml'), other(disk))
      return inside(`${makeDisk}; ${VIRSH} create ${at('peer.xml')}`, `${VIRSH} destroy peer; rm -f ${disk}`)
    },
  })
  const many = await interleave(1, {
    clones: () => {
      const began = performance.now()
      vmpkg('clone', APP, '--name', 'many', '--count', `${MANY}`, '--no-start')
      const took = performance.now() - began
      vmpkg('rm', '-y', 'many-*')
      return took
    },
    shell: () => {
      const one = (number: number): string => {
        const [path, xmlFile] = [at(`many-${number}.qcow2`), at(`many-${number}.xml`)]
        writeFileSync(xmlFile, other(path, `many-${number}`))
        return `qemu-img create -q -f qcow2 -F raw -b ${base} ${path}; ${VIRSH} define ${xmlFile}`
      }
      const all = Array.from({ length: MANY }, (_, number) => one(number)).join('; ')
      const end = `for n in $(seq 0 ${MANY - 1}); do ${VIRSH} undefine many-$n; done; rm -f ${at('many-')}*.qcow2`
      return inside(all, end)
    },
  })
  // It holds vmpkg's lock from its first call on.
  const workspace = await openHere(site.cli)
  const connect = await workspace.connect()
  const calls = await interleave(ROUNDS, {
    call: async () => {
      const began = performance.now()
      await clone(workspace, { ...REQUEST, name: 'made' })
      const took = performance.now() - began
      await removeClones(workspace, { names: ['made'], force: true })
      return took
    },
    create: async () => createAlone(connect, other(disk), { disk, base }),
  })
  await workspace.close()
  const more = median(calls.call.map((ms, round) => ms - (calls.create[round] ?? Number.NaN)))
  const row = (name: string, milliseconds: readonly number[]) => ({ name, milliseconds })
  return {
    title: 'A clone, defined and running',
    about:
      `An app with a disk of ${DISK_BYTES / MIB} MiB, which \`virt-clone\` copies and the others put an overlay on; guests without a system. ` +
      'Whole commands, and `clone` as a call inside a program over an open connection: with plan, identity, medium, checks and journal it takes ' +
      `${formatMs(more)} more than libvirt’s own create with an overlay (goal: 30 ms). ${ROUNDS} rounds; ${MANY} clones once after a round that does not count.`,
    table: formatRows([
      {
        what: '`vmpkg clone`',
        milliseconds: timings.clone,
        peer: row('`virt-clone`, `virsh start`', timings.virtClone),
      },
      {
        what: '`vmpkg clone`',
        milliseconds: timings.clone,
        peer: row('`qemu-img create`, `virt-install --import`', timings.virtInstall),
      },
      {
        what: '`vmpkg clone`',
        milliseconds: timings.clone,
        peer: row('`qemu-img create`, `virsh create`', timings.floor),
      },
      {
        what: '`clone()` in a program',
        milliseconds: calls.call,
        peer: row('overlay and `virDomainCreateXML`', calls.create),
      },
      {
        what: `\`vmpkg clone --count ${MANY} --no-start\``,
        milliseconds: many.clones,
        peer: row(`${MANY} times \`qemu-img create\`, \`virsh define\``, many.shell),
      },
    ]),
  }
}

/** The least that a clone can be. */
async function createAlone(
  connect: Connect,
  xml: string,
  { disk, base }: { readonly disk: string; readonly base: string },
): Promise<number> {
  const began = performance.now()
  await writeOverlay({ path: disk, backing: base, virtualSize: DISK_BYTES, isDurable: false })
  const domain = await connect.domainCreateXML({ xml })
  const took = performance.now() - began
  await domain.destroy()
  runProgram('rm', ['-f', disk])
  return took
}

/** Peers have none. */
function withoutMetadata(xml: string): string {
  return xml.replace(/<metadata>[^]*<\/metadata>/, '')
}

const REQUEST = {
  package: APP,
  net: undefined,
  ephemeral: false,
  set: [],
  profiles: [],
  grants: [],
  start: true,
  wait: false,
  timeoutSeconds: undefined,
  dryRun: false,
} as const

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
