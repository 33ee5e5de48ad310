/**
 * Builds and signs a whole registry in a temporary folder with the real publisher's code: root 2 of 3, one publisher for
 * all names, one promoter, one timestamp key, and the packages asked for, each with a tiny real image. Everything a test
 * needs to break one thing is in the result: folder, signers, clock, pin.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeDelta } from '../../src/image/make-delta.ts'
import { packImage } from '../../src/image/pack-image.ts'
import type { ImageRole } from '../../src/model/line.ts'
import type { Envelope } from '../../src/model/registry.ts'
import { type AddResult, addPackages } from '../../src/publish/registry-add.ts'
import { initRegistry } from '../../src/publish/registry-init.ts'
import type { RootSetup } from '../../src/publish/registry-root.ts'
import type { Timestamping } from '../../src/publish/registry-version.ts'
import type { Signer } from '../../src/publish/signer.ts'
import type { RootPin } from '../../src/trust/root-chain.ts'
import { type FixedClock, fixedClock } from './fixed-clock.ts'
import { testSigner } from './test-keys.ts'

export interface TestPackage {
  readonly name: string
  readonly version?: string
  /** Lines of YAML added to the manifest, such as `depends: [router-uni]`. */
  readonly manifest?: string
  /** Raw bytes by role; default a disk of 64 KiB. */
  readonly images?: Readonly<Partial<Record<ImageRole, Uint8Array>>>
  /** Further files of the package by path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
}

export interface TestRegistryOptions {
  readonly packages?: readonly TestPackage[]
  readonly clock?: FixedClock
  /** Name patterns of the publisher; default `*`. */
  readonly patterns?: readonly string[]
  readonly lifetimeDays?: number
  /** With deltas, as `vmpkg repo add` makes them. */
  readonly deltas?: boolean
}

export interface TestRegistry {
  /** The registry itself: `envelope.json`, `root/`, … */
  readonly folder: string
  readonly pin: RootPin
  readonly clock: FixedClock
  /** Three; two must sign. */
  readonly rootSigners: readonly Signer[]
  readonly timestamp: Signer
  readonly promoter: Signer
  readonly publisher: Signer
  readonly timestamping: Timestamping
  readonly setup: RootSetup
  /** Of `init`; later versions are in the results of `add`. */
  readonly firstEnvelope: Envelope
  /** Publishes further packages. */
  add(...packages: readonly TestPackage[]): Promise<AddResult>
  /** Writes the folder that a build would leave and returns its path. */
  build(pkg: TestPackage): Promise<string>
  /** Removes everything. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Use with `await using`. */
export async function buildRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const clock = options.clock ?? fixedClock()
  const work = await mkdtemp(join(tmpdir(), 'vmpkg-registry-'))
  try {
    const rootSigners = await Promise.all(['root-a', 'root-b', 'root-c'].map((name) => testSigner(name, clock)))
    const timestamp = await testSigner('timestamp', clock)
    const promoter = await testSigner('promoter', clock)
    const publisher = await testSigner('publisher', clock)
    const setup: RootSetup = {
      root: { certificates: rootSigners.map((one) => one.certificate), threshold: 2 },
      timestamp: { certificates: [timestamp.certificate] },
      promoter: { certificates: [promoter.certificate] },
      publishers: [{ certificates: [publisher.certificate], patterns: options.patterns ?? ['*'] }],
    }
    const timestamping: Timestamping = { signers: [timestamp], clock, lifetimeDays: options.lifetimeDays ?? 14 }
    const folder = join(work, 'registry')
    const { envelope, pin } = await initRegistry({
      folder,
      setup,
      rootSigners: rootSigners.slice(0, 2),
      promoters: [promoter],
      timestamping,
      randomness: { bytes: (count) => new Uint8Array(randomBytes(count)) },
    })
    const build = async (pkg: TestPackage) => writeBuiltPackage(await mkdtemp(join(work, 'build-')), pkg)
    const add = async (...packages: readonly TestPackage[]) =>
      addPackages({
        folder,
        packages: await Promise.all(packages.map(build)),
        publishers: [publisher],
        pack: packImage,
        ...(options.deltas === true && { makeDelta }),
        timestamping,
      })
    if (options.packages !== undefined && options.packages.length > 0) await add(...options.packages)
    return {
      folder,
      pin,
      clock,
      rootSigners,
      timestamp,
      promoter,
      publisher,
      timestamping,
      setup,
      add,
      build,
      firstEnvelope: envelope,
      async [Symbol.asyncDispose]() {
        await rm(work, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await rm(work, { recursive: true, force: true })
    throw error
  }
}

/** Writes `package/`, `images.json` and `images/<role>` as a build does. */
async function writeBuiltPackage(folder: string, pkg: TestPackage): Promise<string> {
  const files = {
    'vmpkg.yaml': testManifest(pkg),
    'domain.xml.hbs': '<domain type="{{host.virtType}}"><name>{{domain.name}}</name></domain>\n',
    ...pkg.files,
  }
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, 'package', path)
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, content)
  }
  await mkdir(join(folder, 'images'), { recursive: true })
  const images = Object.entries(pkg.images ?? { disk: testImage(pkg.name) }).map(([role, bytes]) => ({ role, bytes }))
  for (const { role, bytes } of images) await writeFile(join(folder, 'images', role), bytes)
  const list = images.map(({ role, bytes }) => ({
    role,
    format: 'raw',
    digest: createHash('sha256').update(bytes).digest('hex'),
    size: bytes.length,
    file: `images/${role}`,
  }))
  await writeFile(join(folder, 'images.json'), `${JSON.stringify(list, undefined, 2)}\n`)
  return folder
}

function testManifest({ name, version = '1.0-1', manifest = 'kind: app' }: TestPackage): string {
  const kind = /^kind:/m.test(manifest) ? '' : 'kind: app\n'
  const templates = /^templates:/m.test(manifest) ? '' : 'templates: { domain: domain.xml.hbs }\n'
  return `vmpkg: 1
name: ${name}
version: "${version}"
arch: amd64
${kind}summary: Test package ${name}
license: Apache-2.0
${templates}${manifest}
`
}

/** 64 KiB that differ by name, half of them zero. */
export function testImage(name: string): Uint8Array {
  const image = new Uint8Array(64 * 1024)
  for (let block = 0; block < 8; block++) {
    image.set(createHash('sha512').update(`${name} ${block}`).digest(), block * 4096)
  }
  return image
}
