/**
 * Machines made and removed over and over while vmpkg, QEMU and libvirtd are killed at moments that the seed chooses. After
 * each cycle everything that a machine may leave is what it was before, as told by virsh, the kernel and the file system.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CliResult } from './cli.ts'
import { Random } from './random.ts'
import { makeSite, type Site } from './site.ts'
import { tinyApp, tinyRouter } from './tiny-packages.ts'

const KINDS = [
  ['--no-start'],
  ['--ephemeral', '--mode', 'transient'],
  ['--ephemeral', '--mode', 'encrypted'],
  ['--ephemeral'],
  [],
] as const
const LONGEST_COMMAND_MS = 2500

export interface CycleFigures {
  cycles: number
  machines: number
  readonly killed: Record<'vmpkg' | 'QEMU' | 'libvirtd', number>
  /** Cycles after whose kills something was left for `gc`. */
  left: number
}

export interface CycleSite extends AsyncDisposable {
  /** One cycle; throws where anything is left, or an image was changed. */
  run(number: number): Promise<void>
  readonly figures: CycleFigures
}

export async function makeCycleSite(host: string, seed: number): Promise<CycleSite> {
  const site = await makeSite(host, [tinyRouter('router-tiny'), tinyApp('app-tiny')])
  try {
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app-tiny'])
    await site.cli.ok(['clone', 'app-tiny', '--ephemeral', '--name', 'first'])
    await site.cli.ok(['stop', 'first'])
    const figures: CycleFigures = { cycles: 0, machines: 0, killed: { vmpkg: 0, QEMU: 0, libvirtd: 0 }, left: 0 }
    const before = await takeInventory(site, host)
    return {
      figures,
      run: (number) => runCycle({ site, host, before, figures }, new Random(seed * 1_000_003 + number)),
      [Symbol.asyncDispose]: () => site.close(),
    }
  } catch (error) {
    await site.close()
    throw error
  }
}

interface Cycle {
  readonly site: Site
  readonly host: string
  readonly before: unknown
  readonly figures: CycleFigures
}

async function runCycle({ site, host, before, figures }: Cycle, random: Random): Promise<void> {
  const did: string[] = []
  const command = async (words: readonly string[]): Promise<CliResult> => {
    const running = site.cli.start([...words], '')
    const afterMs = random.chance(0.5) ? random.below(LONGEST_COMMAND_MS) : undefined
    const timer = afterMs === undefined ? undefined : setTimeout(() => running.kill('SIGKILL'), afterMs)
    const result = await running.done
    clearTimeout(timer)
    if (afterMs !== undefined && result.status === 128) figures.killed.vmpkg++
    did.push(`${words.join(' ')}: ${result.status}`)
    return result
  }
  const kind: readonly string[] = random.pick<readonly string[]>(KINDS)
  const count = 1 + random.below(2)
  await command(['clone', 'app-tiny', '--name', 'cycle', '--count', String(count), ...kind])
  figures.machines += (await domains(site)).length
  if (random.chance(0.4)) await kill('QEMU')
  if (random.chance(0.3)) await kill('libvirtd')
  await waitForDaemon(site)
  const names = await domains(site)
  if (names.length > 0) await command(random.chance(0.5) ? ['rm', '-y', '--force', 'cycle-*'] : ['stop', ...names])
  if (!isEqual(await takeInventory(site, host), before)) figures.left++
  await site.cli.ok(['gc'])
  if ((await domains(site)).length > 0) await site.cli.ok(['rm', '-y', '--force', 'cycle-*'])
  assert.deepEqual(await takeInventory(site, host), before, did.join('\n'))
  figures.cycles++

  async function kill(what: 'QEMU' | 'libvirtd'): Promise<void> {
    const program = what === 'QEMU' ? 'qemu-system' : 'libvirtd'
    const [pid] = await findProcesses(site, host, program)
    if (pid === undefined) return
    process.kill(pid, 'SIGKILL')
    figures.killed[what]++
    did.push(`kill -9 of ${what}`)
  }
}

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

async function domains(site: Site): Promise<readonly string[]> {
  return (await site.virsh('list', '--all', '--name')).split('\n').filter((name) => name.startsWith('cycle-'))
}

/** A daemon that was killed is started again, and takes its guests back. */
async function waitForDaemon(site: Site): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const answered = await site.virsh('list', '--all').then(
      () => true,
      () => false,
    )
    if (answered) return
    await sleep(100)
  }
  throw new Error('libvirtd did not come back')
}

/** Of this private host only: processes of its process namespace, as the machine outside numbers them. */
async function findProcesses(site: Site, host: string, program: string): Promise<readonly number[]> {
  const [first = ''] = (await readFile(join(runtimeOf(site, host), 'record'), 'utf8')).split(' ')
  const namespace = await readlink(`/proc/${first}/ns/pid`)
  const found: number[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const [own, line] = await Promise.all([
      readlink(`/proc/${entry}/ns/pid`).catch(() => ''),
      readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => ''),
    ])
    if (own === namespace && (line.split('\0', 1)[0] ?? '').includes(program)) found.push(Number(entry))
  }
  return found
}

function runtimeOf({ cli }: Site, host: string): string {
  return join(cli.env['VMPKG_ROOT'] ?? '', 'run', 'vmpkg', 'private', host)
}

async function takeInventory(site: Site, host: string): Promise<unknown> {
  const state = join(site.cli.env['VMPKG_ROOT'] ?? '', 'var', 'lib', 'vmpkg')
  const own = join(state, 'private', host)
  const names = async (folder: string): Promise<readonly string[]> =>
    (await readdir(folder).catch((): string[] => [])).toSorted()
  const inside = await site.cli.ok(['host', 'private', 'shell', host, '--', 'ip', '-o', 'link'])
  const links = [...inside.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name = '']) => name)
  const digests = new Map<string, string>()
  for (const image of await names(join(state, 'images'))) {
    if (!/^[0-9a-f]{64}$/.test(image)) continue // maps and the like
    digests.set(
      image,
      createHash('sha256')
        .update(await readFile(join(state, 'images', image)))
        .digest('hex'),
    )
  }
  return {
    ...(await site.observe()),
    secrets: (await site.virsh('secret-list')).split('\n').filter((line) => /[0-9a-f]{8}-/.test(line)),
    taps: links.filter((name) => /^v(?:net|mp)?\d+$/.test(name)),
    memory: await names(join(runtimeOf(site, host), 'machines')),
    links: (await readdir(join(own, 'log', 'qemu'), { withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isSymbolicLink())
      .map(({ name }) => name),
    domainFolders: (await names(join(own, 'lib', 'qemu'))).filter((name) => name.startsWith('domain-')),
    variables: await names(join(own, 'lib', 'qemu', 'nvram')),
    guests: (await findProcesses(site, host, 'qemu-system')).length,
    images: [...digests],
  }
}
