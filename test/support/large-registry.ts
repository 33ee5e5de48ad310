/**
 * A signed registry of as many package versions as wanted, for what has to hold at scale: real lines with relations and
 * images, each signed by its publisher; nothing behind them, so nothing can be installed. Two envelopes: `base.json` and
 * `one-more.json`, which has one version more; `publish` puts one of them in place. Keys are forgotten.
 */
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { sha256 } from '../../src/model/digest.ts'
import type { PackageLine } from '../../src/model/line.ts'
import { formatPackageLine } from '../../src/model/line-schema.ts'
import { comparePackageVersions } from '../../src/model/package-order.ts'
import type { Envelope, IndexEntry } from '../../src/model/registry.ts'
import { formatEnvelope, formatIndexEntry } from '../../src/model/registry-schema.ts'
import { initRegistry } from '../../src/publish/registry-init.ts'
import { signEnvelope, writeNamed } from '../../src/publish/registry-version.ts'
import type { RootPin } from '../../src/trust/root-chain.ts'
import { type FixedClock, fixedClock } from './fixed-clock.ts'
import { packageImage, packageLine } from './package-line.ts'
import { Random } from './random.ts'
import { testSigner } from './test-keys.ts'

export interface LargeRegistry {
  readonly folder: string
  readonly pin: RootPin
  /** Versions in `base`; `one-more` has one more, of the package `newcomer`. */
  readonly count: number
}

const VERSIONS_PER_NAME = 5
const SYLLABLES = [
  'ra',
  'tor',
  'net',
  'vi',
  'mo',
  'lux',
  'dan',
  'ker',
  'sol',
  'gal',
  'uni',
  'pex',
  'qu',
  'zen',
  'web',
  'ix',
]

/** Takes about half a millisecond a version. The folder must not exist. */
export async function buildLargeRegistry(
  folder: string,
  count: number,
  clock: FixedClock = fixedClock(new Date()),
): Promise<LargeRegistry> {
  const signer = (name: string) => testSigner(name, clock)
  const [root, timestamp, promoter, publisher] = await Promise.all(
    ['root-a', 'timestamp', 'promoter', 'publisher'].map(signer),
  )
  if (root === undefined || timestamp === undefined || promoter === undefined || publisher === undefined)
    throw new TypeError('four signers')
  const timestamping = { signers: [timestamp], clock, lifetimeDays: 3650 }
  const { envelope, pin } = await initRegistry({
    folder,
    setup: {
      root: { certificates: [root.certificate], threshold: 1 },
      timestamp: { certificates: [timestamp.certificate] },
      promoter: { certificates: [promoter.certificate] },
      publishers: [{ certificates: [publisher.certificate], patterns: ['*'] }],
    },
    rootSigners: [root],
    promoters: [promoter],
    timestamping,
    randomness: { bytes: (size) => new Uint8Array(randomBytes(size)) },
  })
  const sign = async (line: PackageLine): Promise<Buffer> => {
    const bytes = formatPackageLine(line)
    const [image] = line.images
    const described = {
      index: { sha256: sha256(`index ${line.name} ${line.version}`), size: 4000 },
      fullBytes: 12_345_678,
    }
    const entry: IndexEntry = {
      line: bytes,
      signatures: [await publisher.sign('publisher', 'line', bytes)],
      transport: { images: image === undefined ? {} : { [image.digest]: described } },
    }
    return Buffer.concat([formatIndexEntry(entry), Buffer.from('\n')])
  }
  const names = makeNames(Math.ceil(count / VERSIONS_PER_NAME))
  const lines = makeLines(names, count).toSorted(comparePackageVersions)
  const wire: Buffer[] = []
  for (const line of lines) wire.push(await sign(line))
  const newcomer = packageLine('newcomer', '1.0', { summary: 'What has come since' })
  const place = lines.findIndex(({ name }) => name > newcomer.name)
  const more = wire.toSpliced(place === -1 ? wire.length : place, 0, await sign(newcomer))
  await mkdir(join(folder, 'envelopes'))
  let before = envelope
  for (const [name, list] of [
    ['base', wire],
    ['one-more', more],
  ] as const) {
    const next = await nextEnvelope(folder, before, list, clock)
    await writeFile(join(folder, 'envelopes', `${name}.json`), await signEnvelope(next, timestamping))
    before = next
  }
  const made = { folder, pin, count }
  await publish(made, 'base')
  await writeFile(join(folder, 'large.json'), JSON.stringify({ pin, count }))
  return made
}

/** One that was built before, where it was built to its end. */
export async function findLargeRegistry(folder: string): Promise<LargeRegistry | undefined> {
  const text = await readFile(join(folder, 'large.json'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : { folder, ...(JSON.parse(text) as Omit<LargeRegistry, 'folder'>) }
}

export async function publish({ folder }: Pick<LargeRegistry, 'folder'>, which: 'base' | 'one-more'): Promise<void> {
  const next = join(folder, 'envelope.json.next')
  await copyFile(join(folder, 'envelopes', `${which}.json`), next)
  await rename(next, join(folder, 'envelope.json'))
}

async function nextEnvelope(
  folder: string,
  before: Envelope,
  wire: readonly Buffer[],
  clock: FixedClock,
): Promise<Envelope> {
  const unpacked = Buffer.concat(wire)
  const written = await writeNamed(folder, 'index', zstdCompressSync(unpacked))
  const issuedAt = new Date(Math.floor(clock.now().getTime() / 1000) * 1000)
  return {
    ...before,
    version: before.version + 1,
    issuedAt,
    index: { ...written, unpackedSize: unpacked.length, count: wire.length },
    previous: { version: before.version, sha256: sha256(formatEnvelope(before)) },
  }
}

function makeNames(count: number): readonly string[] {
  const random = new Random(1)
  const word = () => Array.from({ length: 2 + random.below(2) }, () => random.pick(SYLLABLES)).join('')
  return Array.from({ length: count }, (_, i) => `${word()}-${word()}-${i.toString(36)}`.slice(0, 48))
}

function makeLines(names: readonly string[], count: number): readonly PackageLine[] {
  const random = new Random(2)
  const sentence = () =>
    Array.from({ length: 6 }, () => random.pick(SYLLABLES) + random.pick(SYLLABLES))
      .join(' ')
      .replace(/^./, (letter) => letter.toUpperCase())
  return Array.from({ length: count }, (_, i) => {
    const at = Math.floor(i / VERSIONS_PER_NAME)
    const version = `${1 + (i % VERSIONS_PER_NAME)}.${random.below(20)}-${1 + random.below(3)}`
    // Only on names before it, so that everything can be had.
    const depends = Array.from({ length: Math.min(at, random.below(4)) }, () => `${names[random.below(at)]}`)
    return packageLine(names[at] ?? 'none', version, {
      summary: sentence(),
      depends: [...new Set(depends)],
      provides: random.chance(0.1) ? [`virtual-${random.below(200)}`] : [],
      images: [packageImage(`${at} ${i}`)],
    })
  })
}
