/**
 * The peers that our libvirt client is measured beside, each as a program of its own: libvirt.so called through koffi,
 * and Debian's libvirt-python. A worker prints "ready", then answers each line it reads with the milliseconds its task
 * took, so that starting it is not measured; the one-shot programs are measured whole.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Runs tasks in a program that was started before; `milliseconds` is what the program says. */
export class Worker implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string, undefined>

  #complaint = ''

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  static async start([program, ...args]: readonly [string, ...string[]]): Promise<Worker> {
    const child = spawn(program, args, { stdio: 'pipe' })
    const worker = new Worker(child)
    child.stderr.setEncoding('utf8').on('data', (text: string) => (worker.#complaint += text))
    const first = await worker.#lines.next()
    if (first.value !== 'ready') throw new Error(`${program} did not start: ${worker.#complaint}`)
    return worker
  }

  async run(task: string): Promise<number> {
    this.tell(task)
    return this.answer()
  }

  tell(task: string): void {
    this.#child.stdin.write(`${task}\n`)
  }

  async answer(): Promise<number> {
    const { value = 'nothing' } = await this.#lines.next()
    const milliseconds = Number.parseFloat(value)
    if (Number.isNaN(milliseconds)) throw new Error(`a worker said ${value}: ${this.#complaint}`)
    return milliseconds
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }
}

/** Debian's interpreter: another one would not find Debian's binding. */
const PYTHON = '/usr/bin/python3'

export function hasPython(): boolean {
  return spawnSync(PYTHON, ['-c', 'import libvirt']).status === 0
}

const PYTHON_WORKER = `
import sys, time, threading, libvirt, os
uri = sys.argv[1]
libvirt.virEventRegisterDefaultImpl()
libvirt.registerErrorHandler(lambda ctx, err: None, None)
conn = libvirt.open(uri)
seen = 0
wanted = 0
done = threading.Event()
def count(*_):
    global seen
    seen += 1
    if seen == wanted: done.set()
def loop():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
print('ready', flush=True)
for line in sys.stdin:
    task, *rest = line.split()
    if task == 'xml':
        domains = conn.listAllDomains()
        begun = time.perf_counter()
        for domain in domains: domain.XMLDesc()
        spent = time.perf_counter() - begun
    elif task == 'list':
        begun = time.perf_counter()
        own = libvirt.open(uri)
        own.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE)
        own.close()
        spent = time.perf_counter() - begun
    elif task == 'events':
        seen, wanted = 0, int(rest[0])
        done.clear()
        registered = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, count, None)
        begun = time.process_time()
        print('0', flush=True)
        done.wait()
        spent = time.process_time() - begun
        conn.domainEventDeregisterAny(registered)
    elif task in ('upload', 'download'):
        pool, name, path = rest
        vol = conn.storagePoolLookupByName(pool).storageVolLookupByName(name)
        begun = time.perf_counter()
        stream = conn.newStream()
        if task == 'upload':
            with open(path, 'rb') as source:
                vol.upload(stream, 0, 0)
                stream.sendAll(lambda stream, size, source: source.read(size), source)
        else:
            with open(path, 'wb') as target:
                vol.download(stream, 0, 0)
                stream.recvAll(lambda stream, data, target: target.write(data), target)
        stream.finish()
        spent = time.perf_counter() - begun
    print(spent * 1000, flush=True)
`

const PYTHON_ONCE = `
import sys, libvirt
conn = libvirt.open(sys.argv[1])
conn.getHostname()
conn.close()
`

export const pythonWorker = (uri: string) => [PYTHON, '-c', PYTHON_WORKER, uri] as const
export const pythonOnce = (uri: string) => [PYTHON, ['-c', PYTHON_ONCE, uri]] as const

/** What both koffi programs need of libvirt.so; strings that libvirt hands out are freed by their disposer. */
const KOFFI = `
import koffi from 'koffi'
const lib = koffi.load('libvirt.so.0')
const free = koffi.load('libc.so.6').func('void free(void *)')
const text = koffi.disposable('text', 'str', free)
const open = lib.func('void *virConnectOpen(str uri)')
const close = lib.func('int virConnectClose(void *conn)')
const listAll = lib.func('int virConnectListAllDomains(void *conn, _Out_ void **domains, uint flags)')
const xmlOf = lib.func('virDomainGetXMLDesc', text, ['void *', 'uint'])
const hostname = lib.func('virConnectGetHostname', text, ['void *'])
const freeDomain = lib.func('int virDomainFree(void *domain)')
const uri = process.argv[1]
const domainsOf = (conn) => {
  const out = [null]
  const count = listAll(conn, out, 0)
  const domains = koffi.decode(out[0], 'void *', count)
  free(out[0])
  return domains
}
`

const KOFFI_WORKER = `${KOFFI}
import { createInterface } from 'node:readline'
const conn = open(uri)
console.log('ready')
for await (const task of createInterface({ input: process.stdin })) {
  const domains = domainsOf(conn)
  const begun = performance.now()
  if (task === 'xml') for (const domain of domains) xmlOf(domain, 0)
  else {
    // koffi refuses more than 256 calls under way; libuv gives it four threads.
    let next = 0
    const lane = async () => {
      while (next < domains.length) {
        const domain = domains[next++]
        await new Promise((resolve, reject) => xmlOf.async(domain, 0, (error, xml) => (error ? reject(error) : resolve(xml))))
      }
    }
    await Promise.all(Array.from({ length: 64 }, lane))
  }
  const spent = performance.now() - begun
  for (const domain of domains) freeDomain(domain)
  console.log(spent)
}
close(conn)
`

const KOFFI_ONCE = `${KOFFI}
const conn = open(uri)
hostname(conn)
close(conn)
`

const module = (script: string, uri: string) => ['--input-type=module', '-e', script, uri]
export const koffiWorker = (uri: string) => [process.execPath, ...module(KOFFI_WORKER, uri)] as const
export const koffiOnce = (uri: string) => [process.execPath, module(KOFFI_ONCE, uri)] as const
