/**
 * What it takes to make a definition: rendering a shipped package, the policy gate, validation by the target libvirt's own
 * schema, and defining; inside a running program and as whole commands, against virt-install and virt-xml (Debian's
 * virtinst) on the same private host.
 */
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connect } from '../../src/libvirt/connect.ts'
import { grantName } from '../../src/model/capability.ts'
import type { ImageRole } from '../../src/model/line.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { chooseName, chooseNet, cloneFacts, planClone } from '../../src/operations/clone-plan.ts'
import { loadPackage } from '../../src/operations/package-store.ts'
import { preflightDomain } from '../../src/operations/preflight.ts'
import { renderMachine } from '../../src/operations/render-machine.ts'
import { validateDefinition } from '../../src/operations/validate-definition.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import { readShipped } from '../../src/publish/package-files.ts'
import { type TestPackage, testImage } from '../support/registry-builder.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyRouter } from '../support/tiny-packages.ts'
import { formatMs, formatSpread, interleave, median, type Report, type Row, runProgram } from './measure.ts'

const TOP = join(import.meta.dirname, '..', '..')
const VMPKG = join(TOP, 'dist', 'bin.js')
const ROUNDS = 11
const GOAL = 0.2
const HAS_SWTPM = spawnSync('swtpm', ['--version']).status === 0

interface Bench {
  readonly site: Site
  readonly workspace: Workspace
  readonly connect: Connect
  /** An empty qcow2 file. */
  readonly disk: string
}

export async function measureRender(): Promise<Report> {
  requireVirtinst()
  const site = await makeSite('bench-render', [
    tinyRouter('router-uni'),
    await shipped('app-console', ['kernel', 'initrd', 'disk']),
    await shipped('server-plain'),
    await shipped('desktop-windows'),
  ])
  try {
    return await measureOn(await prepare(site))
  } finally {
    await site.close()
  }
}

function requireVirtinst(): void {
  if (spawnSync('virt-install', ['--version']).status === 0 && spawnSync('virt-xml', ['--version']).status === 0) return
  throw new Error('part render needs virt-install and virt-xml: apt-get install --no-install-recommends virtinst')
}

/** A package as it is shipped; its images have nothing on them. */
async function shipped(name: string, roles: readonly ImageRole[] = []): Promise<TestPackage> {
  const { files } = await readShipped(join(TOP, 'templates', name))
  return {
    name,
    files: Object.fromEntries([...files].map(([path, { bytes }]) => [path, bytes])),
    images: Object.fromEntries(roles.map((role) => [role, testImage(`${name} ${role}`)])),
  }
}

async function prepare(site: Site): Promise<Bench> {
  const { cli } = site
  const disk = join(cli.folder, 'disk.qcow2')
  runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '8G'])
  const packages = ['router-uni', 'app-console', 'server-plain', 'desktop-windows']
  await cli.ok(['install', '-y', '--no-start', '--grant', 'network', '--grant', 'host-file', ...packages])
  const workspace = await openWorkspace({
    outside: systemOutside({ emit: () => {}, signal: new AbortController().signal, env: cli.env, offline: true }),
    root: cli.env['VMPKG_ROOT'],
    connect: cli.env['VMPKG_CONNECT'],
    env: cli.env,
    uid: process.getuid?.() ?? 0,
    home: cli.folder,
    folder: cli.folder,
    command: ['bench'],
    write: false,
  })
  return { site, workspace, connect: await workspace.connect(), disk }
}

/** Milliseconds of each step. */
interface Steps {
  /** The package from the store; name, LAN, values, hypervisor and firmware from libvirt and the host. */
  readonly plan: number
  readonly render: number
  readonly validate: number
  readonly preflight: number
  readonly define: number
}

/**
 * What `clone --no-start` does, without a process, overlay and medium. It is undefined again, outside of the time.
 * libvirt defines a TPM only where it finds swtpm: without it the definition is made and not given to it.
 */
async function makeDefinition({ workspace, connect }: Bench, name: string, set: readonly string[]): Promise<Steps> {
  const times = [performance.now()]
  const mark = (): void => void times.push(performance.now())
  const { line, grants, source, parameters: before } = workspace.installed.get(name)
  const pkg = await loadPackage(workspace, line)
  const net = await chooseNet(connect, pkg.line, undefined)
  const input = await planClone(workspace, connect, pkg, {
    name: await chooseName(connect, line, undefined),
    net,
    set,
    profiles: [],
    ephemeral: false,
    before,
    grants: grants.map((one) => grantName(one)),
  })
  mark()
  const xml = await renderMachine(input, cloneFacts(workspace, input, { source, net, ephemeral: false }))
  mark()
  await validateDefinition(workspace, connect, 'domain', xml)
  mark()
  await preflightDomain(workspace, connect, xml, { until: 'define' })
  mark()
  const domain = isDefinable(name) ? await connect.domainDefineXML({ xml, flags: ['validate'] }) : undefined
  mark()
  await domain?.undefine({ flags: ['nvram'] })
  const [plan = 0, render = 0, validate = 0, preflight = 0, define = 0] = times
    .slice(1)
    .map((time, at) => time - (times[at] ?? 0))
  return { plan, render, validate, preflight, define }
}

function isDefinable(name: string): boolean {
  return name !== 'desktop-windows' || HAS_SWTPM
}

function totalOf({ plan, render, validate, preflight, define }: Steps): number {
  return plan + render + validate + preflight + define
}

async function measureOn(bench: Bench): Promise<Report> {
  const { site, connect, disk } = bench
  const vmpkg = (...args: readonly string[]): string =>
    runProgram(process.execPath, [VMPKG, ...args], { env: site.cli.env })
  const setDisk = ['--set', `disk=${disk}`]
  const peer = peerOf(site.uri, disk)
  await connect.domainDefineXML({ xml: peer.server('edited') })

  const steps: Record<string, Steps[]> = {}
  const inside = async (name: string, set: readonly string[]): Promise<number> => {
    const taken = await makeDefinition(bench, name, set)
    steps[name] = [...(steps[name] ?? []), taken]
    return totalOf(taken)
  }
  /** The time of `run` alone: the machine that it made is undefined afterwards. */
  const making = async (name: string, run: () => unknown): Promise<number> => {
    const began = performance.now()
    await run()
    const took = performance.now() - began
    await (await connect.domainLookupByName({ name })).undefine({ flags: ['nvram'] })
    return took
  }
  const timings = await interleave(ROUNDS, {
    windowsInside: () => inside('desktop-windows', [`disk=${disk}`]),
    serverInside: () => inside('server-plain', [`disk=${disk}`]),
    consoleInside: () => inside('app-console', []),
    node: () => void runProgram(process.execPath, ['-e', '0']),
    render: () => void vmpkg('render', join(TOP, 'templates', 'server-plain'), ...setDisk),
    dryRun: () => void vmpkg('clone', 'server-plain', '--dry-run', ...setDisk),
    clone: () => making('ours', () => vmpkg('clone', 'server-plain', '--name', 'ours', '--no-start', ...setDisk)),
    windowsPrinted: () => void peer.windows('peer'),
    serverPrinted: () => void peer.server('peer'),
    serverDefined: () => making('theirs', () => peer.define(peer.server('theirs'))),
    edited: () => void peer.edit('edited'),
  })

  const { windowsInside, serverInside, consoleInside, node, render, dryRun, clone } = timings
  const printed = { name: '`virt-install`', milliseconds: timings.serverPrinted }
  const printedWindows = { name: '`virt-install`', milliseconds: timings.windowsPrinted }
  const defined = { name: '`virt-install` and `virsh define`', milliseconds: timings.serverDefined }
  const edited = { name: '`virt-xml`', milliseconds: timings.edited }
  const label = (name: string): string => `inside: ${name}${isDefinable(name) ? '' : ', not defined'}`
  const [windows, server, console] = [label('desktop-windows'), label('server-plain'), label('app-console')]
  const [shown, planned, made] = ['`vmpkg render`', '`vmpkg clone --dry-run`', '`vmpkg clone --no-start`']
  const rows: readonly Row[] = [
    { what: windows, milliseconds: windowsInside, peer: printedWindows, goal: GOAL },
    { what: windows, milliseconds: windowsInside, peer: edited, goal: GOAL },
    { what: server, milliseconds: serverInside, peer: printed, goal: GOAL },
    { what: server, milliseconds: serverInside, peer: edited, goal: GOAL },
    { what: console, milliseconds: consoleInside, peer: printed, goal: GOAL },
    { what: console, milliseconds: consoleInside, peer: edited, goal: GOAL },
    { what: `process: ${shown}`, milliseconds: render, peer: printed, goal: GOAL },
    { what: `process: ${shown}`, milliseconds: render, peer: edited, goal: GOAL },
    { what: `process: ${planned}`, milliseconds: dryRun, peer: printed, goal: GOAL },
    { what: `process: ${made}`, milliseconds: clone, peer: defined },
    { what: 'process: `node -e 0`', milliseconds: node, peer: printed },
  ]
  return { title: 'Render, validate, define', about: describe(steps), table: formatSpread(rows) }
}

function describe(steps: Readonly<Record<string, readonly Steps[]>>): string {
  const parts = Object.entries(steps).map(([name, taken]) => {
    const words = (['plan', 'render', 'validate', 'preflight', 'define'] as const).map(
      (step) => `${step} ${formatMs(median(taken.slice(1).map((one) => one[step])))}`,
    )
    return `${name}: ${words.join(', ')}`
  })
  const [first] = steps['desktop-windows'] ?? []
  return (
    `One private host, ${ROUNDS} rounds in turn; p95 is the nearest rank, with so few rounds the slowest. Inside a program that has its connection, vmpkg reads the package from the store, asks ` +
    `libvirt for its QEMU and its version, renders through the policy gate, validates by libvirt’s own RELAX NG schema, runs ` +
    `the preflight and defines in libvirt, which validates once more (medians: ${parts.join('; ')}` +
    `${HAS_SWTPM ? '' : '; libvirt defines no TPM here, as swtpm is missing'}). The first of a program, which does not count, took ` +
    `${formatMs(first === undefined ? Number.NaN : totalOf(first))}, ${formatMs(first?.validate ?? Number.NaN)} of them to read and hold it ` +
    `against the schema. \`vmpkg render\` renders the template folder server-plain through the gate and prints; ` +
    `\`clone --dry-run\` also validates, \`clone --no-start\` also writes the medium and the journal and defines. ` +
    `\`virt-install\` is \`virt-install --import --print-xml\` with like devices (app-console is held against that of server-plain): it asks libvirt what it can do and prints XML, and ` +
    `validates and defines nothing; followed by \`virsh define --validate\` it does. \`virt-xml\` is \`virt-xml --edit --memory ` +
    `--print-diff\` on a defined machine: it defines nothing either.`
  )
}

/** Devices like those of server-plain and desktop-windows, as virt-install takes them. */
function peerOf(uri: string, disk: string) {
  const file = `${disk}.xml`
  const common = [
    ['--connect', uri, '--import', '--print-xml', '--virt-type', 'qemu', '--machine', 'q35', '--iothreads', '1'],
    ['--check', 'path_in_use=off'],
    ['--disk', `path=${disk},format=qcow2,bus=virtio,cache=none,driver.io=native,discard=unmap,driver.iothread=1`],
    ['--network', 'network=uni0,model=virtio', '--controller', 'usb,model=qemu-xhci', '--input', 'tablet'],
    ['--video', 'virtio', '--rng', '/dev/urandom', '--memballoon', 'virtio'],
  ].flat()
  const server = [
    ['--memory', '2048', '--vcpus', '2', '--boot', 'uefi', '--osinfo', 'detect=off,require=off'],
    ['--serial', 'pty', '--channel', 'unix,target.type=virtio,target.name=org.qemu.guest_agent.0'],
    ['--graphics', 'vnc,listen=socket', '--watchdog', 'i6300esb'],
  ].flat()
  const windows = [
    ['--memory', '8192', '--vcpus', '4', '--osinfo', 'win11', '--features', 'smm.state=on,kvm.hidden.state=on'],
    ['--boot', 'loader=/usr/share/OVMF/OVMF_CODE_4M.ms.fd,loader.readonly=yes,loader.type=pflash,loader.secure=yes'],
    ['--tpm', 'backend.type=emulator,backend.version=2.0,model=tpm-crb', '--graphics', 'spice', '--sound', 'ich9'],
    ['--channel', 'spicevmc', '--cpu', 'host-passthrough'],
  ].flat()
  return {
    server: (name: string) => runProgram('virt-install', [...common, ...server, '--name', name]),
    windows: (name: string) => runProgram('virt-install', [...common, ...windows, '--name', name]),
    edit: (name: string) =>
      runProgram('virt-xml', ['--connect', uri, name, '--edit', '--memory', '4096', '--print-diff']),
    define: async (xml: string) => {
      await writeFile(file, xml)
      runProgram('virsh', ['-q', '-c', uri, 'define', '--validate', file])
    },
  }
}
