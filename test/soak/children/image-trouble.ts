/**
 * The cases of `../images.ts`, in a mount namespace of their own, where the root of vmpkg is a tmpfs whose size changes. Argument:
 * the range as JSON. Prints a line of JSON for each case; whatever a case meets that may not be ends the run with status 1.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sha256 } from '../../../src/model/digest.ts'
import { type Cli, makeCli } from '../../support/cli.ts'
import { type CountingServer, startCountingServer } from '../../support/counting-server.ts'
import { writeEditedImages } from '../../support/delta-images.ts'
import { fixedClock } from '../../support/fixed-clock.ts'
import { startPrivateLibvirt } from '../../support/private-libvirt.ts'
import { Random } from '../../support/random.ts'
import { buildRegistry } from '../../support/registry-builder.ts'
import type { ImageCase, ImagesRange } from '../images.ts'

const KIB = 1024
/** More than anything here takes. */
const LARGE = 256 * 2 ** 20
const KILLS = 3
/** A kill loses what is on the line and in buffers (`../pull.ts`), and a chunk map that was half here. */
const LOST_BY_A_KILL = 448 * KIB

/** How an image comes: what is installed before, and the verb. */
const WAYS = {
  full: { before: [], verb: ['install', '-y', 'app-large=1.0-1'] },
  delta: { before: ['app-large=1.0-1'], verb: ['upgrade', '-y'] },
  chunks: { before: ['app-large=1.0-1'], verb: ['install', '-y', 'app-alike'] },
} as const
type Way = keyof typeof WAYS

/** What an undisturbed run of a way comes to. */
interface Undisturbed {
  readonly sent: number
  readonly seconds: number
  /** Bytes on disk that it adds. */
  readonly growth: number
  readonly before: readonly string[]
  readonly after: readonly string[]
  readonly files: readonly string[]
}

class Trouble {
  readonly #cli: Cli
  readonly #server: CountingServer
  readonly #folder: string
  readonly #root: string
  readonly #ways = new Map<Way, Undisturbed>()

  constructor(cli: Cli, server: CountingServer, folder: string) {
    this.#cli = cli
    this.#server = server
    this.#folder = folder
    this.#root = join(folder, 'root')
  }

  /** Notes what each way comes to when nothing goes wrong. */
  async prepare(rootFile: string): Promise<void> {
    await mkdir(this.#root)
    for (const way of Object.keys(WAYS) as Way[]) {
      const { before, verb } = WAYS[way]
      this.#mount()
      await this.#cli.ok(['source', 'add', 'test', this.#server.base.href, '--root-file', rootFile])
      await this.#cli.ok(['update'])
      for (const name of before) await this.#cli.ok(['install', '-y', name])
      execFileSync('cp', ['-a', this.#root, join(this.#folder, way)])
      const [used, sent, began] = [await this.#used(), this.#server.sentBytes, performance.now()]
      const installed = this.#installed()
      await this.#cli.ok(verb)
      this.#ways.set(way, {
        sent: this.#server.sentBytes - sent,
        seconds: (performance.now() - began) / 1000,
        growth: (await this.#used()) - used,
        before: installed,
        after: this.#installed(),
        files: await this.#files(),
      })
    }
    const [full, delta, chunks] = (['full', 'delta', 'chunks'] as const).map((way) => this.#ways.get(way)?.sent ?? 0)
    assert.ok(delta !== undefined && chunks !== undefined && full !== undefined)
    assert.ok(delta < chunks && chunks < full, `the ways do not differ: ${full}, ${chunks}, ${delta} bytes`)
  }

  async run(seed: number, number: number): Promise<ImageCase> {
    const random = new Random(seed * 1_000_003 + number)
    const way = random.pick(Object.keys(WAYS) as Way[])
    const plain = this.#ways.get(way)
    assert.ok(plain !== undefined)
    this.#mount()
    execFileSync('cp', ['-a', `${join(this.#folder, way)}/.`, this.#root])
    const before = this.#server.sentBytes
    const isKill = random.below(2) === 0
    const [kills, refusals] = isKill
      ? [await this.#kill(way, plain, random), 0]
      : [0, await this.#fill(way, plain, random)]
    this.#remount(LARGE)
    if (this.#installed().join() !== plain.after.join()) await this.#cli.ok(WAYS[way].verb)
    await this.#cli.ok(['gc'])
    assert.deepEqual(this.#installed(), plain.after)
    assert.deepEqual(await this.#files(), plain.files)
    const sent = this.#server.sentBytes - before
    // What was on its way to a disk that is full has no place to be kept in.
    const most = plain.sent * (1.02 + refusals) + kills * LOST_BY_A_KILL
    assert.ok(sent <= most, `${sent} of ${plain.sent} bytes`)
    return { number, way, kills, refusals, sent, whole: plain.sent }
  }

  /** Up to three times, at a random byte of what is still to come, or at a random moment. */
  async #kill(way: Way, plain: Undisturbed, random: Random): Promise<number> {
    const began = this.#server.sentBytes
    for (let kills = 0; kills < KILLS; kills++) {
      const left = Math.max(1, plain.sent - (this.#server.sentBytes - began))
      const at = this.#server.sentBytes + random.below(left)
      const isByBytes = random.below(3) > 0
      const moment = random.below(Math.ceil(plain.seconds * 1500))
      const run = this.#cli.start(WAYS[way].verb, '')
      const timer = isByBytes ? undefined : setTimeout(() => run.kill('SIGKILL'), moment)
      if (isByBytes) {
        this.#server.onPiece = (sent) => {
          if (sent >= at) run.kill('SIGKILL')
          return sent >= at
        }
      }
      const { status, stderr } = await run.done
      this.#server.onPiece = undefined
      clearTimeout(timer)
      if (status === 0) return kills
      assert.equal(status, 128, stderr)
      await this.#look(plain, ['before', 'after'])
    }
    return KILLS
  }

  /** The disk is too small from the beginning, or becomes full at a random byte. Returns how often that was said. */
  async #fill(way: Way, plain: Undisturbed, random: Random): Promise<number> {
    const room = random.below(Math.ceil(plain.growth * 1.25))
    if (random.below(2) === 0) this.#remount((await this.#used()) + room)
    else {
      const at = this.#server.sentBytes + random.below(plain.sent)
      this.#server.onPiece = (sent) => {
        if (sent < at) return false
        this.#server.onPiece = undefined
        void this.#used().then((used) => this.#remount(used + Math.floor(room / 4)))
        return false
      }
    }
    const { status, stderr } = await this.#cli.run(WAYS[way].verb)
    this.#server.onPiece = undefined
    if (status === 0) return 0
    assert.equal(status, 100, stderr)
    assert.match(stderr, /^E: .*\[NO_SPACE\]$/m, stderr)
    assert.match(stderr, /Free some space/, stderr)
    assert.doesNotMatch(stderr, /\[INTERNAL\]|^\s+at .*:\d+/m, stderr)
    if (/space for|Not enough/.test(stderr)) {
      assert.match(stderr, /in \/.*images: \d+ MiB needed, \d+ MiB available/, stderr)
    }
    await this.#look(plain, ['before'])
    return 1
  }

  /** What is installed is one of those, and everything under its final name is what the name says. */
  async #look(plain: Undisturbed, states: readonly ('before' | 'after')[]): Promise<void> {
    const installed = this.#installed().join()
    assert.ok(
      states.some((state) => plain[state].join() === installed),
      `${installed} is installed`,
    )
    await this.#files()
  }

  #state(): string {
    return join(this.#root, 'var', 'lib', 'vmpkg')
  }

  #installed(): readonly string[] {
    // A copy: on a full disk not even a reader can open what has a write-ahead log.
    const copy = join(this.#folder, 'state')
    rmSync(copy, { recursive: true, force: true })
    mkdirSync(copy)
    for (const name of ['state.db', 'state.db-wal']) {
      const file = join(this.#state(), name)
      if (existsSync(file)) copyFileSync(file, join(copy, name))
    }
    const database = new DatabaseSync(join(copy, 'state.db'))
    try {
      const rows = database.prepare("SELECT name || ' ' || version AS text FROM installed ORDER BY name").all()
      return rows.map(({ text }) => String(text))
    } finally {
      database.close()
    }
  }

  /** Names of everything stored; objects are held to their digests. What is unfinished has another name. */
  async #files(): Promise<readonly string[]> {
    const found: string[] = []
    for (const folder of ['images', 'images/maps', 'packages']) {
      const place = join(this.#state(), folder)
      for (const name of (await readdir(place).catch((): string[] => [])).toSorted()) {
        const [, digest] = /^([0-9a-f]{64})(?:\.vmpkg)?$/.exec(name) ?? []
        if (digest !== undefined) assert.equal(sha256(await readFile(join(place, name))), digest, `${name} is corrupt`)
        if (name !== 'maps') found.push(`${folder}/${name}`)
      }
    }
    assert.ok(!found.some((name) => name.startsWith('images/quarantine')), 'something was found damaged')
    return found
  }

  async #used(): Promise<number> {
    const { blocks, bfree, bsize } = await statfs(this.#root)
    return (blocks - bfree) * bsize
  }

  #mount(): void {
    this.close()
    execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=755,size=${LARGE}`, 'vmpkg-test', this.#root])
  }

  /** tmpfs refuses to be smaller than what is in it, which may be more by now. */
  #remount(bytes: number): void {
    const set = (size: number): void =>
      void execFileSync('mount', ['-o', `remount,size=${size}`, this.#root], { stdio: 'pipe' })
    for (let size = bytes; ; size += 256 * KIB) {
      try {
        set(size)
        return
      } catch (error) {
        if (size > bytes + 16 * 2 ** 20) throw error
      }
    }
  }

  close(): void {
    try {
      execFileSync('umount', ['-l', this.#root], { stdio: 'pipe' })
    } catch {} // it is not mounted yet
  }
}

const { seed, from, cases, until } = JSON.parse(process.argv[2] ?? '') as ImagesRange
const folder = await mkdtemp(join(tmpdir(), 'vmpkg-trouble-'))
try {
  const [before, after, alike] = ['before', 'after', 'alike'].map((name) => join(folder, name))
  assert.ok(before !== undefined && after !== undefined && alike !== undefined)
  await writeEditedImages(before, after)
  const edited = await readFile(after)
  for (let at = 5 * 2 ** 20; at < 6 * 2 ** 20; at += 90_000) edited.write('other', at)
  const packages = [
    { name: 'app-large', version: '1.0-1', images: { disk: await readFile(before) } },
    { name: 'app-large', version: '2.0-1', images: { disk: await readFile(after) } },
    { name: 'app-alike', images: { disk: edited } },
  ]
  const clock = fixedClock(new Date())
  await using registry = await buildRegistry({ clock, deltas: true, packages: packages.slice(0, 1) })
  for (const one of packages.slice(1)) await registry.add(one)
  await using server = await startCountingServer(registry.folder)
  await using libvirt = await startPrivateLibvirt()
  const cli = await makeCli(libvirt.uri('test:///default'), join(folder, 'root'))
  const trouble = new Trouble(cli, server, folder)
  try {
    await trouble.prepare(join(registry.folder, 'root', '1.json'))
    for (let number = from; number < from + cases && (number === from || Date.now() < until); number++) {
      try {
        console.log(JSON.stringify(await trouble.run(seed, number)))
      } catch (error) {
        console.error(`case ${number} of seed ${seed} (--from ${number} --cases 1)`)
        throw error
      }
    }
  } finally {
    trouble.close()
    await cli.close()
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
