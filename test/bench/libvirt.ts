/**
 * Our libvirt client beside virsh, libvirt.so through koffi, and libvirt-python, on one daemon: connecting, listing,
 * reading XML in turn and at once, events, volumes. Ours and the bindings run inside programs that run already, unless
 * a row says "process"; virsh is always a process, and where it can it reads many commands, its best case.
 */
import { randomFillSync } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { Connect } from '../../src/libvirt/connect.ts'
import type { StorageVolume } from '../../src/libvirt/storage.ts'
import { type PrivateLibvirt, startPrivateLibvirt } from '../support/private-libvirt.ts'
import { hasPython, koffiOnce, koffiWorker, pythonOnce, pythonWorker, Worker } from './libvirt-peers.ts'
import { formatRows, interleave, type Report, type Row, runProgram, type Timings } from './measure.ts'

const DOMAINS = 500
const ROUNDS = 11
const PROCESS_ROUNDS = 21
/** Of suspending and resuming a domain of the test driver, which tells one event each. */
const EVENTS = 4000
const EVENT_ROUNDS = 5
const VOLUME_MIB = 256
const VOLUME_ROUNDS = 7

const BUILT = pathToFileURL(join(import.meta.dirname, '..', '..', 'dist', 'libvirt', 'index.js')).href
const OURS_WORKER = `
import { createInterface } from 'node:readline'
import { Connect } from '${BUILT}'
const connect = await Connect.open(process.argv[1])
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const feed = connect.events('domain.lifecycle')
  await feed.ready
  const begun = process.cpuUsage()
  console.log(0)
  let left = Number(line.split(' ')[1])
  for await (const event of feed) if (event.domain.uuid !== '' && --left === 0) break
  const { user, system } = process.cpuUsage(begun)
  console.log((user + system) / 1000)
}
await connect.close()
`
const OURS_ONCE = `
import { Connect } from '${BUILT}'
await using connect = await Connect.open(process.argv[1])
await connect.getHostname()
`
const OURS_LIST = `
import { Connect } from '${BUILT}'
await using connect = await Connect.open(process.argv[1])
const domains = await connect.getAllDomainStats({ stats: ['state'] })
process.stdout.write(domains.map(({ domain, params }) => domain.name + ' ' + params['state.state'] + '\\n').join(''))
`

export async function measureLibvirt(): Promise<Report> {
  if (!hasPython()) throw new Error('libvirt-python is not installed: apt-get install python3-libvirt')
  await using daemon = await startPrivateLibvirt()
  await using connect = await Connect.open(daemon.uri())
  // Four at a time: defining is all the daemon's own work of writing files.
  for (let i = 0; i < DOMAINS; i += 4)
    await Promise.all(
      Array.from({ length: 4 }, (_, j) => connect.domainDefineXML({ xml: domainXml(`bench-${i + j}`) })),
    )
  const rows = [
    ...(await measureReading(daemon, connect)),
    ...(await measureProcesses(daemon)),
    ...(await measureEvents(daemon)),
    ...(await measureVolumes(daemon, connect)),
  ]
  return {
    title: 'The libvirt client',
    about:
      `A session daemon of its own with ${DOMAINS} defined domains; ${ROUNDS} rounds, ${PROCESS_ROUNDS} of whole ` +
      `processes, ${EVENT_ROUNDS} of ${EVENTS} events, ${VOLUME_ROUNDS} of a volume of ${VOLUME_MIB} MiB. Events are ` +
      `told by the test driver while two subscribers, each alone, count them: what is compared is their processor time.`,
    table: formatRows(rows),
  }
}

async function measureReading(daemon: PrivateLibvirt, connect: Connect): Promise<Row[]> {
  const uri = daemon.uri()
  const domains = await connect.listAllDomains()
  if (domains.length !== DOMAINS) throw new Error(`${domains.length} domains of ${DOMAINS}`)
  await using koffi = await Worker.start(koffiWorker(uri))
  await using python = await Worker.start(pythonWorker(uri))
  const timings = await interleave(ROUNDS, {
    sequential: async () => {
      for (const domain of domains) await domain.getXMLDesc()
    },
    concurrent: async () => {
      await Promise.all(domains.map((domain) => domain.getXMLDesc()))
    },
    list: async () => {
      await using own = await Connect.open(uri)
      await own.getAllDomainStats({ stats: ['state'] })
    },
    koffi: () => koffi.run('xml'),
    koffiAtOnce: () => koffi.run('xml at once'),
    python: () => python.run('xml'),
    pythonList: () => python.run('list'),
    virsh: () =>
      void runProgram('virsh', ['-q', '-c', uri], {
        input: domains.map(({ name }) => `dumpxml ${name}\n`).join(''),
      }),
  })
  const peer = peers(timings)
  const what = `XML of ${DOMAINS} domains`
  return [
    { what: `${what}, in turn`, milliseconds: timings.sequential, peer: peer('virsh', 'virsh, one process') },
    { what: `${what}, in turn`, milliseconds: timings.sequential, peer: peer('koffi', 'koffi, blocking') },
    { what: `${what}, in turn`, milliseconds: timings.sequential, peer: peer('python', 'libvirt-python') },
    {
      what: `${what}, at once`,
      milliseconds: timings.concurrent,
      peer: peer('koffiAtOnce', 'koffi, 64 at once'),
      goal: 0.7,
    },
    { what: `${what}, at once`, milliseconds: timings.concurrent, peer: peer('virsh', 'virsh, one process') },
    { what: `${what}, at once`, milliseconds: timings.concurrent, peer: peer('python', 'libvirt-python') },
    {
      what: `connect, ${DOMAINS} domains with states, close`,
      milliseconds: timings.list,
      peer: peer('pythonList', 'libvirt-python'),
    },
  ]
}

async function measureProcesses(daemon: PrivateLibvirt): Promise<Row[]> {
  const uri = daemon.uri()
  const node = (script: string) => () => void runProgram(process.execPath, ['--input-type=module', '-e', script, uri])
  const run =
    ([program, args]: readonly [string, readonly string[]]) =>
    () =>
      void runProgram(program, args)
  const timings = await interleave(PROCESS_ROUNDS, {
    list: node(OURS_LIST),
    once: node(OURS_ONCE),
    node: () => void runProgram(process.execPath, ['-e', '0']),
    virshList: () => void runProgram('virsh', ['-q', '-c', uri, 'list', '--all']),
    virshOnce: () => void runProgram('virsh', ['-q', '-c', uri, 'hostname']),
    koffiOnce: run(koffiOnce(uri)),
    pythonOnce: run(pythonOnce(uri)),
  })
  const peer = peers(timings)
  const listed = `process: ${DOMAINS} domains with states`
  const one = 'process: connect, one call, close'
  return [
    { what: listed, milliseconds: timings.list, peer: peer('virshList', '`virsh list --all`'), goal: 0.8 },
    { what: one, milliseconds: timings.once, peer: peer('virshOnce', '`virsh hostname`') },
    { what: one, milliseconds: timings.once, peer: peer('koffiOnce', 'koffi') },
    { what: one, milliseconds: timings.once, peer: peer('pythonOnce', 'libvirt-python') },
    { what: one, milliseconds: timings.once, peer: peer('node', '`node -e 0`') },
  ]
}

async function measureEvents(daemon: PrivateLibvirt): Promise<Row[]> {
  // Without the transport libvirt.so would run a test driver of its own, and hear nothing.
  const uri = daemon.uri('test+unix:///default')
  await using connect = await Connect.open(uri)
  const domain = await connect.domainLookupByName({ name: 'test' })
  await using ours = await Worker.start([process.execPath, '--input-type=module', '-e', OURS_WORKER, uri])
  await using python = await Worker.start(pythonWorker(uri))
  const storm = async (worker: Worker) => {
    worker.tell(`events ${EVENTS}`)
    await worker.answer() // registered
    for (let i = 0; i < EVENTS; i += 2) {
      await domain.suspend()
      await domain.resume()
    }
    return worker.answer()
  }
  const timings = await interleave(EVENT_ROUNDS, { ours: () => storm(ours), python: () => storm(python) })
  const peer = peers(timings)
  return [
    { what: `${EVENTS} events, processor time`, milliseconds: timings.ours, peer: peer('python', 'libvirt-python') },
  ]
}

async function measureVolumes(daemon: PrivateLibvirt, connect: Connect): Promise<Row[]> {
  const uri = daemon.uri()
  const [target, files] = [await daemon.makeFolder('pool'), await daemon.makeFolder('files')]
  const bytes = VOLUME_MIB * 2 ** 20
  const source = await daemon.makeFile(join(files, 'source'), randomFillSync(Buffer.allocUnsafe(bytes)))
  const pool = await connect.storagePoolCreateXML({
    xml: `<pool type='dir'><name>bench</name><target><path>${target}</path></target></pool>`,
  })
  const vol = await pool.storageVolCreateXML({
    xml: `<volume><name>v</name><capacity>${bytes}</capacity><target><format type='raw'/></target></volume>`,
  })
  await using python = await Worker.start(pythonWorker(uri))
  const out = join(files, 'out')
  const timings = await interleave(VOLUME_ROUNDS, {
    upload: () => upload(vol, source),
    download: () => download(vol, out),
    virshUpload: () => void runProgram('virsh', ['-q', '-c', uri, 'vol-upload', '--pool', 'bench', 'v', source]),
    virshDownload: () => void runProgram('virsh', ['-q', '-c', uri, 'vol-download', '--pool', 'bench', 'v', out]),
    pythonUpload: () => python.run(`upload bench v ${source}`),
    pythonDownload: () => python.run(`download bench v ${out}`),
  })
  await pool.destroy()
  const peer = peers(timings)
  const [up, down] = [`volume of ${VOLUME_MIB} MiB up`, `volume of ${VOLUME_MIB} MiB down`]
  return [
    { what: up, milliseconds: timings.upload, peer: peer('virshUpload', '`virsh vol-upload`') },
    { what: up, milliseconds: timings.upload, peer: peer('pythonUpload', 'libvirt-python') },
    { what: down, milliseconds: timings.download, peer: peer('virshDownload', '`virsh vol-download`') },
    { what: down, milliseconds: timings.download, peer: peer('pythonDownload', 'libvirt-python') },
  ]
}

async function upload(vol: StorageVolume, path: string): Promise<void> {
  await pipeline(createReadStream(path, { highWaterMark: 1_048_576 }), await vol.upload({ offset: 0n, length: 0n }))
}

async function download(vol: StorageVolume, path: string): Promise<void> {
  const target = createWriteStream(path, { highWaterMark: 4 * 1_048_576 }) // else each packet waits for its own write
  await pipeline(await vol.download({ offset: 0n, length: 0n }), target)
}

function peers<Name extends string>(timings: Timings<Name>) {
  return (key: Name, name: string) => ({ name, milliseconds: timings[key] })
}

/** About 4 KB once libvirt has completed it, as a small real domain has. */
function domainXml(name: string): string {
  return `<domain type="qemu">
  <name>${name}</name>
  <memory unit="MiB">128</memory>
  <vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <devices>
    <serial type="pty"/>
    <disk type="file" device="disk">
      <driver name="qemu" type="raw"/>
      <source file="/var/empty/${name}.raw"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <interface type="user"><model type="virtio"/></interface>
  </devices>
</domain>`
}
