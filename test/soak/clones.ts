/**
 * Booted machines, a few at a time: what each one is, as it is seen inside, in libvirt and on the wire, is nobody else's
 * (leak cases K1 to K3). Clones and pool members of app-console, and clones of os-debian, whose SSH server makes its host
 * keys by itself. The random bytes are the first that a program got when it asked; a tap on the LAN hears the rest.
 */
import { createHash } from 'node:crypto'
import { type Cli, makeCli } from '../support/cli.ts'
import { readFirstPackets } from '../support/first-packets.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { Unique } from '../support/unique.ts'
import { type Frame, hearFrames, startInside, TAP } from '../support/vpn-site.ts'

const HOST = 'clones'
const AT_A_TIME = 4
/** Of a whole run the last ones come out of a pool. */
const POOLED = 6
const POOL_SIZE = 3
const DEBIAN_AT_A_TIME = 2
const DEBIAN_READY_SECONDS = '600'
const CONNECTIONS = 3

/** Lines of a mark, a name and a value. The random bytes come first, before anything else here asks for some. */
const WHO = `echo @random $(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n')
echo @boot $(cat /proc/sys/kernel/random/boot_id)
echo @hostname $(hostname)
echo @machine $(cat /etc/machine-id)
echo @product $(cat /sys/class/dmi/id/product_uuid)
for card in /sys/class/net/[en]*; do echo @mac $(cat $card/address); done
for line in $(ip -4 -o addr show scope global | tr -s ' ' | cut -d ' ' -f 4); do echo @address $line; done`
const KEYS = `ssh-keygen -q -A
for key in rsa ecdsa ed25519; do echo @key-$key $(cut -d ' ' -f 2 </etc/ssh/ssh_host_\${key}_key.pub); done`

/** Dropped by the router, whose ports these are not: the first packet is what counts. */
const CONNECT = `router=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')
for port in ${Array.from({ length: CONNECTIONS }, (_, i) => 9001 + i).join(' ')}; do fetch http://$router:$port/ >/dev/null 2>&1 & done
sleep 5; echo @done connecting`

interface ClonesRequest {
  readonly from: number
  readonly cases: number
  readonly until?: number
}

interface Made {
  readonly name: string
  readonly uuid: string
  readonly xml: string
  readonly pooled?: true
}

/** Throws at the first thing that two have in common. @returns the figures in Markdown */
export async function soakClones({ from, cases, until = Number.POSITIVE_INFINITY }: ClonesRequest): Promise<string> {
  const cli = await makeCli(`private:${HOST}`)
  const frames: Frame[] = []
  let tap: Awaited<ReturnType<typeof startInside>> | undefined
  try {
    await publishTemplates(cli, ['router-uni', 'app-console'], process.env['VMPKG_BENCH_CACHE'])
    await cli.ok(['install', '-y', '--grant', 'network', 'router-uni', 'app-console'])
    tap = await startInside(cli, HOST, /ready/, ['python3', '-c', TAP])
    hearFrames(tap, frames)
    const unique = new Unique()
    const began = performance.now()
    const isEnough = (): boolean => Date.now() >= until
    let next = from
    let pooled = 0
    while (next < from + cases - POOLED && !isEnough()) {
      const count = Math.min(AT_A_TIME, from + cases - POOLED - next)
      const words = ['--name', `c${next}`, '--count', String(count), '--no-pool', '--wait']
      const { machines } = await cli.json(['clone', 'app-console', '--ephemeral', ...words])
      await askConsoles(cli, machines as readonly Made[], frames, unique)
      next += count
      console.error(`${next - from} of ${cases} machines`)
    }
    const cold = next - from
    while (next < from + cases && !isEnough()) {
      await cli.ok(['pool', 'set', 'app-console', String(POOL_SIZE)])
      const taken: Made[] = []
      for (let i = 0; i < POOL_SIZE; i++) {
        const made = (await cli.json([
          'clone',
          'app-console',
          '--ephemeral',
          '--name',
          `p${next++}`,
          '--wait',
        ])) as unknown
        taken.push(made as Made)
      }
      pooled += taken.filter((one) => one.pooled === true).length
      await askConsoles(cli, taken, frames, unique)
      console.error(`${next - from} of ${cases} machines, ${pooled} out of a pool`)
    }
    unique.proveNoticing()
    return report(
      `${cold} clones of app-console, ${AT_A_TIME} at a time, and ${pooled} that had waited in a pool`,
      unique,
      (performance.now() - began) / 1000,
    )
  } finally {
    tap?.stdin.end()
    await cli.close()
  }
}

/** The same of clones of os-debian, with the host keys that each makes. */
export async function soakDebianClones({
  from,
  cases,
  until = Number.POSITIVE_INFINITY,
}: ClonesRequest): Promise<string> {
  const cli = await makeCli(`private:${HOST}`)
  try {
    await publishTemplates(cli, ['router-uni', 'os-debian'], process.env['VMPKG_BENCH_CACHE'])
    await cli.ok(['install', '-y', '--grant', 'network', 'router-uni', 'os-debian'])
    const unique = new Unique()
    const began = performance.now()
    let next = from
    while (next < from + cases && Date.now() < until) {
      const count = Math.min(DEBIAN_AT_A_TIME, from + cases - next)
      const words = ['--name', `c${next}`, '--count', String(count), '--ephemeral', '--set', 'memory=256MiB']
      const { machines } = await cli.json(['clone', 'os-debian', ...words])
      const made = machines as readonly Made[]
      await cli.ok(['wait', ...made.map(({ name }) => name), '--timeout', DEBIAN_READY_SECONDS])
      for (const { name, uuid, xml } of made) {
        noteDefinition(unique, { name, uuid, xml })
        noteWords(unique, name, await cli.ok(['exec', name, '--no-stdin', '--', 'sh', '-c', `${WHO}\n${KEYS}`]))
      }
      await cli.ok(['stop', ...made.map(({ name }) => name)])
      next += count
      console.error(`${next - from} of ${cases} clones`)
    }
    unique.proveNoticing()
    return report(
      `${next - from} clones of os-debian, ${DEBIAN_AT_A_TIME} at a time`,
      unique,
      (performance.now() - began) / 1000,
    )
  } finally {
    await cli.close()
  }
}

/** Asks all of them at their serial consoles, and ends them. */
async function askConsoles(cli: Cli, made: readonly Made[], frames: Frame[], unique: Unique): Promise<void> {
  const answers = await Promise.all(
    made.map(async ({ name }) => {
      const { stdout } = await cli.run(['console', name, '--silence', '6'], `${WHO}\n${CONNECT}\n`)
      if (!/^@done connecting\r?$/m.test(stdout)) throw new Error(`${name} did not answer to the end:\n${stdout}`)
      return stdout
    }),
  )
  for (const [i, one] of made.entries()) {
    const { name } = one
    noteDefinition(unique, one)
    noteWords(unique, name, answers[i] ?? '')
    const mac = /<mac address='([^']+)'/.exec(one.xml)?.[1] ?? ''
    const { dhcp, tcp } = readFirstPackets(frames, mac)
    if (dhcp.length === 0) throw new Error(`the tap heard no DHCP of ${name}`)
    if (tcp.length !== CONNECTIONS)
      throw new Error(`the tap heard ${tcp.length} connections of ${name}:\n${answers[i]}`)
    for (const id of dhcp) unique.note('DHCP transaction', id, name)
    for (const number of tcp) unique.note('TCP sequence number', number, name)
  }
  await cli.ok(['stop', ...made.map(({ name }) => name)])
  frames.length = 0
}

function noteDefinition(unique: Unique, { name, uuid, xml }: Made): void {
  unique.note('uuid', uuid, name)
  unique.note('generation', /<genid>(.*)<\/genid>/.exec(xml)?.[1] ?? uuid, name)
}

function noteWords(unique: Unique, name: string, said: string): void {
  const found = [...said.matchAll(/^@([a-z0-9-]+) (\S+)\r?$/gm)]
  for (const [, what = '', value = ''] of found) {
    if (what === 'done') continue
    unique.note(what, what.startsWith('key-') ? createHash('sha256').update(value).digest('hex') : value, name)
  }
  const kinds = new Set(found.map(([, what]) => what))
  for (const what of ['random', 'boot', 'hostname', 'machine', 'product', 'mac', 'address'])
    if (!kinds.has(what)) throw new Error(`${name} does not tell its ${what}:\n${said}`)
}

function report(what: string, unique: Unique, seconds: number): string {
  const rows = unique.counts.map(([name, count]) => `| ${name} | ${count} |`)
  return [
    `${what}, in ${Math.round(seconds)} s. What two had in common: nothing.`,
    '',
    '| what | different values |',
    '| --- | ---: |',
    ...rows,
  ].join('\n')
}
