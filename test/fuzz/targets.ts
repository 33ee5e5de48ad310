/**
 * The parsers of untrusted input, each with inputs to begin with and the words of its format. A target takes any bytes:
 * it returns, or throws a `VmpkgError`. Anything else is a finding.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { readArchive } from '../../src/archive/read.ts'
import { writeArchive } from '../../src/archive/write.ts'
import { parseChunkMap } from '../../src/image/chunk-map.ts'
import { formatDeltaIndex, parseDeltaIndex } from '../../src/image/delta-index.ts'
import { TAIL_BYTES, verifyForeignHeader } from '../../src/image/foreign-header.ts'
import { HEAD_BYTES, type ImageFormat } from '../../src/image/format.ts'
import { parseTransportIndex } from '../../src/image/transport-index.ts'
import { sha256 } from '../../src/model/digest.ts'
import { parsePackageLine } from '../../src/model/line-schema.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import {
  parseChannels,
  parseEnvelope,
  parseEnvelopeFile,
  parseRoot,
  parseSignedFile,
} from '../../src/model/registry-schema.ts'
import { carryRoots } from '../../src/publish/carried-roots.ts'
import { parseRecipe } from '../../src/publish/recipe.ts'
import { isArmored, unarmorSignature } from '../../src/trust/armor.ts'
import { readCertificate } from '../../src/trust/certificate.ts'
import { parseClearSigned } from '../../src/trust/clear-signed.ts'
import { readIndexEntries } from '../../src/trust/package-index.ts'
import { verifyVendorFile } from '../../src/trust/vendor-signature.ts'
import { parseChecksumFile } from '../../src/upstream/checksum-file.ts'
import { parseListing } from '../../src/upstream/listing.ts'
import { parseMachinesConf } from '../../src/upstream/machines-conf.ts'
import { parseVendors } from '../../src/upstream/vendors.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { digestOf, files } from '../support/test-archive.ts'

export interface Target {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly words: readonly string[]
  readonly run: (input: Uint8Array) => unknown
}

const TOP = join(import.meta.dirname, '..', '..')
const UPSTREAM = join(TOP, 'test', 'fixtures', 'upstream')
const utf8 = (input: Uint8Array): string => Buffer.from(input).toString('utf8')
const read = (path: string): Buffer => readFileSync(join(TOP, path))

const FIRST_CHUNK = [{ first: 0, count: 1 }]

export async function makeTargets(): Promise<readonly Target[]> {
  const registry = await registryFiles()
  const images = imageFiles()
  const map = parseChunkMap(registry.map)
  const json = [
    '{',
    '}',
    '[',
    ']',
    '":',
    ',',
    'null',
    '1e999',
    '-1',
    '"\\u0000"',
    '__proto__',
    'constructor',
    '"x-a":1',
  ]
  const yaml = [
    '&a ',
    '*a',
    '!!js ',
    '<<: ',
    '- ',
    ': ',
    '\n  ',
    '"',
    "'",
    '|',
    '%YAML 1.1',
    '...',
    '---',
    '__proto__',
    '?',
  ]
  const certificate = await readCertificate(read('keys/D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81.asc').toString())
  const sums = readFileSync(join(UPSTREAM, 'ubuntu-24.04-cloud.SHA256SUMS'))
  const signature = readFileSync(join(UPSTREAM, 'ubuntu-24.04-cloud.SHA256SUMS.gpg'))
  const clear = readFileSync(join(UPSTREAM, 'Fedora-Cloud-44-1.7-aarch64-CHECKSUM'))
  const check = { subject: 'it', certificates: [certificate], now: new Date('2026-09-01T00:00:00Z') }
  const payload = (name: string, seed: Buffer, parse: (bytes: Uint8Array) => unknown): Target => ({
    name,
    seeds: [parseSignedFile(seed, 'ENVELOPE_INVALID', name, 2 ** 22).payload],
    words: json,
    run: parse,
  })
  const text = (
    name: string,
    seeds: readonly (Uint8Array | string)[],
    words: readonly string[],
    parse: (t: string) => unknown,
  ): Target => ({
    name,
    seeds: seeds.map((seed) => Buffer.from(seed)),
    words,
    run: (input) => parse(utf8(input)),
  })
  return [
    {
      name: 'envelope file',
      seeds: [registry.envelope, carryRoots(registry.envelope, [{ version: 2, file: registry.envelope }])],
      words: json,
      run: parseEnvelopeFile,
    },
    payload('envelope', registry.envelope, parseEnvelope),
    payload('root', registry.root, parseRoot),
    payload('channels', registry.channels, parseChannels),
    { name: 'package line', seeds: registry.lines, words: json, run: (input) => parsePackageLine(input) },
    {
      name: 'index',
      seeds: [registry.index, zstdCompressSync(Buffer.from('{}\n'))],
      words: ['\x28\xb5\x2f\xfd'],
      run: (input) => readIndexEntries(input, { ...digestOf(input), unpackedSize: registry.unpackedSize, count: 1 }),
    },
    text(
      'manifest',
      ['templates/os-debian/vmpkg.yaml', 'templates/router-uni/vmpkg.yaml'].map(read),
      yaml,
      parseManifest,
    ),
    text('recipe', ['templates/os-debian/recipe.yaml', 'templates/router-uni/recipe.yaml'].map(read), yaml, (t) =>
      parseRecipe(t, 'it'),
    ),
    text('vendors', [read('keys/vendors.yaml')], yaml, parseVendors),
    {
      name: 'archive',
      seeds: [writeArchive(files())],
      words: ['\x28\xb5\x2f\xfd'],
      run: (input) => readArchive(input, digestOf(input)),
    },
    {
      // The tar below the compression: a mutated frame hardly ever unpacks.
      name: 'archive tar',
      seeds: [registry.tar],
      words: ['ustar', '../', '\0', '5', 'x', '0000644', '77777777777'],
      run: async (input) => {
        const packed = zstdCompressSync(input)
        await readArchive(packed, digestOf(packed))
      },
    },
    ...(['qcow2', 'vmdk', 'vdi', 'iso'] as const).map(
      (format): Target => ({
        name: `${format} header`,
        seeds: images[format],
        words: ['QFI\xfb', 'KDMV', 'createType="monolithicSparse"', 'RW 1 SPARSE "a"', 'parentCID=ffffffff', 'CD001'],
        run: (input) => verifyForeignHeader(format, endsOf(input)),
      }),
    ),
    { name: 'chunk map', seeds: [registry.map], words: ['VMPKGMAP'], run: (input) => parseChunkMap(input) },
    {
      name: 'transport index',
      seeds: [registry.transport],
      words: ['VMPKGTRN'],
      run: (input) => parseTransportIndex(input, map),
    },
    {
      name: 'delta index',
      seeds: [
        formatDeltaIndex({
          pack: { sha256: sha256('pack'), size: 2 ** 30 },
          frames: [
            {
              pack: 0,
              offset: 0,
              size: 99,
              rawSize: map.lengths.at(0) ?? 0,
              digest: map.digests.at(0),
              runs: FIRST_CHUNK,
              dictionary: FIRST_CHUNK,
            },
          ],
        }),
      ],
      words: ['VMPKGDLT'],
      run: (input) => parseDeltaIndex(input, map, map),
    },
    text('checksum list', [sums, clear], ['SHA256 (', ') = ', ' *', '../', '# ', ' bytes', '\r\n'], (t) =>
      parseChecksumFile(t, 'it'),
    ),
    {
      name: 'clear-signed',
      seeds: [clear],
      words: ['-----BEGIN PGP SIGNATURE-----', '- ', '\r', 'Hash: SHA512', '\n\n'],
      run: (input) => parseClearSigned(input),
    },
    {
      name: 'signature',
      seeds: [signature, unarmorSignature(signature.toString())],
      words: ['\x89', '\xc2', '\xff', '-----END PGP SIGNATURE-----', '='],
      run: async (input) => {
        if (isArmored(input)) unarmorSignature(Buffer.from(input).toString('latin1'))
        await verifyVendorFile(sums, input, check)
      },
    },
    {
      name: 'certificate',
      seeds: [certificate.bytes, read('keys/36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6.asc')],
      words: ['-----BEGIN PGP PRIVATE KEY BLOCK-----', '\x99', '\xc6', '\xff'],
      run: async (input) => readCertificate(isAscii(input) ? utf8(input) : input),
    },
    text(
      'machines.conf',
      ['[a.iso]\nurl=https://example.org/a.iso\ndescription=x\nsha256=' + 'a'.repeat(64)],
      ['[', ']', 'url=', '.iso', '\n', '#'],
      parseMachinesConf,
    ),
    text('listing', ['<a href="v3.21/">v3.21/</a>\n<a href="../">'], ['href="', '">', 'v3.'], (t) =>
      parseListing(t, 'v(3\\.\\d+)/'),
    ),
  ]
}

function isAscii(input: Uint8Array): boolean {
  return (input[0] ?? 0) < 0x80
}

function endsOf(input: Uint8Array): Parameters<typeof verifyForeignHeader>[1] {
  const bytes = Buffer.from(input)
  return { head: bytes.subarray(0, HEAD_BYTES), tail: bytes.subarray(-TAIL_BYTES), size: bytes.length }
}

/** Real files of a registry with one package. */
async function registryFiles() {
  await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
  const first = async (kind: string): Promise<Buffer> => {
    const names = (await readdir(join(registry.folder, kind))).toSorted()
    const all = await Promise.all(names.map((name) => readFile(join(registry.folder, kind, name))))
    return all.toSorted((a, b) => b.length - a.length)[0] ?? Buffer.alloc(0)
  }
  const index = await first('index')
  const { zstdDecompressSync } = await import('node:zlib')
  const lines = zstdDecompressSync(index).toString().trim().split('\n')
  return {
    envelope: await readFile(join(registry.folder, 'envelope.json')),
    root: await first('root'),
    channels: await first('channels'),
    index,
    unpackedSize: zstdDecompressSync(index).length,
    lines: lines.map((line) => Buffer.from((JSON.parse(line) as { line: string }).line, 'base64')),
    map: await first('map'),
    transport: await first('transport'),
    tar: zstdDecompressSync(writeArchive(files())),
  }
}

function imageFiles(): Readonly<Record<Exclude<ImageFormat, 'raw'>, readonly Uint8Array[]>> {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-fuzz-'))
  try {
    const make = (format: string, ...options: readonly string[]): Buffer => {
      const path = join(folder, `disk.${format}`)
      rmSync(path, { force: true })
      execFileSync('qemu-img', ['create', '-q', '-f', format, ...options, path, '8M'])
      return readFileSync(path)
    }
    const streamed = join(folder, 'streamed.vmdk')
    make('qcow2')
    execFileSync('qemu-img', [
      'convert',
      '-O',
      'vmdk',
      '-o',
      'subformat=streamOptimized',
      join(folder, 'disk.qcow2'),
      streamed,
    ])
    const iso = Buffer.alloc(40 * 2048)
    iso.write('\x01CD001\x01', 32_768, 'latin1')
    iso.writeUInt32LE(40, 32_768 + 80)
    iso.writeUInt16LE(2048, 32_768 + 128)
    return {
      qcow2: [
        make('qcow2'),
        make('qcow2', '-b', '/x', '-F', 'raw', '-u'),
        make('qcow2', '-o', 'compat=0.10,cluster_size=512'),
      ],
      vmdk: [make('vmdk'), readFileSync(streamed)].map((bytes) => bytes.subarray(0, 200_000)),
      vdi: [make('vdi')].map((bytes) => bytes.subarray(0, 100_000)),
      iso: [iso],
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
