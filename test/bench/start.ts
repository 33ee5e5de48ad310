/**
 * From `vmpkg start` of an installed, stopped router to the first request that a new client behind it gets answered, and
 * what each part takes. Real images, built from Debian packages; real guests in a private host.
 *
 * VMPKG_BENCH_CACHE names a folder that keeps downloaded Debian packages between runs.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Cli, makeCli } from '../support/cli.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { formatMs, formatTable, median, type Report } from './measure.ts'

const TOP = join(import.meta.dirname, '..', '..')
const VMPKG = join(TOP, 'dist', 'bin.js')
const SERVER = '198.51.100.1'
const ROUNDS = 3
const NAME = 'bench'

const PARTS = [
  'process start, state, connection',
  'create the router’s domain',
  'router boots until its agent answers',
  'attestation, LAN link up, process end',
  'process start, clone defined and created',
  'client boots until it has its lease',
  'first request answered',
] as const

export async function measureStart(): Promise<Report> {
  const cli = await makeCli(`private:${NAME}`)
  let server: ChildProcess | undefined
  try {
    await prepare(cli)
    server = await startServer(cli)
    const virtType = await hypervisorOf(cli)
    const rounds: (readonly number[])[] = []
    for (let round = 0; round < ROUNDS; round++) rounds.push(await measureOnce(cli))
    const totals = rounds.map((parts) => parts.reduce((sum, part) => sum + part))
    const rows = PARTS.map((part, i) => {
      const values = rounds.map((parts) => parts[i] ?? Number.NaN)
      const shares = values.map((value, round) => value / (totals[round] ?? Number.NaN))
      return [part, formatMs(median(values)), `${(median(shares) * 100).toFixed(1)} %`]
    })
    return {
      title: 'From `vmpkg start router-uni` to a client’s first answered request',
      about:
        `Guests run with ${virtType}. The client is \`vmpkg clone app-console --ephemeral --wait\`; it fetches a page from a ` +
        `server on the uplink through \`vmpkg console\`. ${ROUNDS} rounds: ${totals.map((total) => formatMs(total)).join(', ')}.`,
      table: formatTable(
        ['', 'median', 'share'],
        [...rows, ['**in all**', `**${formatMs(median(totals))}**`, '100 %']],
      ),
    }
  } finally {
    server?.stdin?.end()
    await cli.close()
  }
}

async function prepare(cli: Cli): Promise<void> {
  await publishTemplates(cli, ['router-uni', 'app-console'], process.env['VMPKG_BENCH_CACHE'])
  await cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-uni', 'app-console'])
}

async function measureOnce(cli: Cli): Promise<readonly number[]> {
  const times = [performance.now()]
  const mark = (): void => void times.push(performance.now())
  const stages = new Set(['stage-started start', 'stage-finished start', 'stage-finished boot'])
  await run(cli, ['start', 'router-uni', '--json'], (line) => {
    const event = JSON.parse(line) as { type: string; stage?: string }
    if (stages.has(`${event.type} ${event.stage ?? ''}`)) mark()
  })
  mark()
  await run(cli, ['clone', 'app-console', '--name', 'client', '--ephemeral', '--wait', '--json'], (line) => {
    const event = JSON.parse(line) as { type: string; stage?: string }
    if (event.type === 'stage-started' && event.stage === 'boot') mark()
  })
  mark()
  await run(cli, ['console', 'client', '--silence', '1'], (line) => {
    if (line.includes('you came from')) mark()
  })
  if (times.length !== PARTS.length + 1) throw new Error(`${times.length - 1} parts were seen of ${PARTS.length}`)
  await cli.ok(['stop', 'client', 'router-uni'])
  return times.slice(1).map((time, i) => time - (times[i] ?? Number.NaN))
}

/** Runs a command; `onLine` hears each line of progress, and of results where they are not JSON. */
async function run(cli: Cli, args: readonly string[], onLine: (line: string) => void): Promise<void> {
  const json = args.includes('--json')
  const child = spawn(process.execPath, [VMPKG, ...args], { env: cli.env, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(args[0] === 'console' ? `fetch http://${SERVER}:8080/\n` : '')
  let rest = ''
  let said = ''
  const hear = (chunk: Buffer): void => {
    said += String(chunk)
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  }
  if (json) child.stdout.resume()
  else child.stdout.on('data', hear)
  if (json) child.stderr.on('data', hear)
  else child.stderr.resume()
  const [status] = (await once(child, 'close')) as [number | null]
  if (status !== 0) throw new Error(`vmpkg ${args.join(' ')} exited ${status}\n${said}`)
}

/** A web server where the router's uplink leads. */
async function startServer(cli: Cli): Promise<ChildProcess> {
  const script = join(TOP, 'test', 'support', 'uplink-server.ts')
  const inside = [VMPKG, 'host', 'private', 'shell', NAME, '--', process.execPath, script, SERVER, '8080']
  const server = spawn(process.execPath, inside, { env: cli.env, stdio: ['pipe', 'pipe', 'inherit'] })
  await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'exit').then(() => Promise.reject(new Error('the server on the uplink did not start'))),
  ])
  return server
}

async function hypervisorOf(cli: Cli): Promise<string> {
  const { xml } = await cli.json(['clone', 'app-console', '--dry-run'])
  return /<domain type=['"]kvm/.test(String(xml)) ? 'KVM' : 'TCG, QEMU’s own translation, since KVM does not work here'
}
