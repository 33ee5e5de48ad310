/** Attacks inside packages, images and templates (docs/threats.md, A). */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { readArchive } from '../../src/archive/read.ts'
import { unpackArchive } from '../../src/archive/unpack.ts'
import { writeArchive } from '../../src/archive/write.ts'
import { formatJson, redact } from '../../src/cli/redact.ts'
import { newIdentity, newMac } from '../../src/domain/identity.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { verifyForeignHeader } from '../../src/image/foreign-header.ts'
import { rawFrom } from '../../src/image/raw-from.ts'
import { readEnds } from '../../src/image/to-raw.ts'
import type { Capability, GrantName } from '../../src/model/capability.ts'
import type { ParameterValues } from '../../src/model/manifest.ts'
import { parseDomainName } from '../../src/model/name.ts'
import { choicesOf } from '../../src/render/choices.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import { findElement, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { Random } from '../support/random.ts'
import { realProcesses } from '../support/real-processes.ts'
import { consoleContext, osContext, readPartials, readTemplate } from '../support/render-contexts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { digestOf, files, hostileArchive, manifestEntry } from '../support/test-archive.ts'
import { refused, threatCase } from '../support/threat-case.ts'

const MIB = 2 ** 20
const POLICY = 'src/archive/entry-policy.ts'

/** Unpacks into a folder deep enough that nothing can leave the test's own. */
async function unpackHostile(t: TestContext, archive: Uint8Array): Promise<string> {
  const folder = join(await makeTempFolder(t), 'a', 'b')
  await mkdir(folder, { recursive: true })
  await unpackArchive({ archive, expected: digestOf(archive), target: join(folder, 'package') })
  return join(folder, 'package')
}

for (const path of ['../evil', 'guest/../../evil', '/evil', 'C:\\evil', 'guest\\..\\evil', './evil']) {
  threatCase({
    id: 'A01',
    title: `the path ${JSON.stringify(path)} is refused before anything is written`,
    attack: async (t) => {
      const archive = hostileArchive([manifestEntry, { path, content: Buffer.from('x') }])
      await refused('ARCHIVE_ENTRY_REFUSED', () => unpackHostile(t, archive))
    },
    controls: [
      {
        file: POLICY,
        find: "if (bad || segment.length > ARCHIVE_LIMITS.segmentLength) throw refuse(path, 'has a path that is not plain')",
        replace: '',
      },
    ],
  })
}

for (const type of ['SymbolicLink', 'Link'] as const) {
  threatCase({
    id: 'A02',
    title: `a ${type} is refused, and so is what is written through it`,
    attack: async (t) => {
      const archive = hostileArchive([manifestEntry, { path: 'guest', type, linkpath: '/tmp' }])
      await refused('ARCHIVE_ENTRY_REFUSED', () => unpackHostile(t, archive))
    },
    controls: [
      {
        file: POLICY,
        find: "if (type !== 'File' && type !== 'Directory')\n    throw refuse(path, `is a ${JSON.stringify(type.slice(0, 30))}; only files are allowed`)",
        replace: '',
      },
    ],
  })
}

threatCase({
  id: 'A03',
  title: 'two names that some file system takes for one are refused',
  attack: async (t) => {
    const archive = hostileArchive([
      manifestEntry,
      { path: 'guest/rules', content: Buffer.from('a') },
      { path: 'Guest/RULES', content: Buffer.from('b') },
    ])
    await refused('ARCHIVE_ENTRY_REFUSED', () => unpackHostile(t, archive))
  },
  controls: [
    { file: POLICY, find: "if (seen.has(key)) throw refuse(entry.path, 'collides with another entry')", replace: '' },
  ],
})

for (const type of ['CharacterDevice', 'BlockDevice', 'FIFO'] as const) {
  threatCase({
    id: 'A04',
    title: `a ${type} is refused`,
    attack: async (t) => {
      await refused('ARCHIVE_ENTRY_REFUSED', () =>
        unpackHostile(t, hostileArchive([manifestEntry, { path: 'guest/x', type }])),
      )
    },
    controls: [
      {
        file: POLICY,
        find: "if (type !== 'File' && type !== 'Directory')\n    throw refuse(path, `is a ${JSON.stringify(type.slice(0, 30))}; only files are allowed`)",
        replace: '',
      },
    ],
  })
}

threatCase({
  id: 'A04',
  title: 'a setuid program arrives without the bit, and world-writable files without that',
  attack: async (t) => {
    const archive = hostileArchive([
      manifestEntry,
      { path: 'domain.xml.hbs', content: Buffer.from('<domain/>') },
      { path: 'guest/x', mode: 0o6777, content: Buffer.from('x') },
    ])
    const { mode } = await stat(join(await unpackHostile(t, archive), 'guest', 'x'))
    assert.equal(mode & 0o7777, 0o755)
  },
  controls: [
    { file: 'src/archive/unpack.ts', find: 'const mode = executable ? 0o755 : 0o644', replace: 'const mode = 0o6777' },
  ],
})

threatCase({
  id: 'A04',
  title: 'extended headers, where attributes and sparse maps live, are refused',
  attack: async (t) => {
    const content = Buffer.from('30 SCHILY.xattr.user.x=0123456\n')
    const archive = hostileArchive([manifestEntry, { path: 'x', type: 'ExtendedHeader', content }, { path: 'guest/x' }])
    await refused('ARCHIVE_ENTRY_REFUSED', () => unpackHostile(t, archive))
  },
  controls: [
    {
      file: 'src/archive/read.ts',
      find: "parser.on('meta', () => reject(refused('', 'extended header')))",
      replace: '',
    },
  ],
})

threatCase({
  id: 'A05',
  title: 'an archive that unpacks to far more than text can is refused',
  attack: async () => {
    const zeros = Buffer.alloc(7 * MIB)
    const archive = hostileArchive([manifestEntry, ...['a', 'b', 'c'].map((path) => ({ path, content: zeros }))])
    await refused('ARCHIVE_INVALID', () => readArchive(archive, digestOf(archive)))
  },
  controls: [
    {
      file: 'src/archive/read.ts',
      find: 'Math.min(MAX_TAR_BYTES, Math.max(RATIO_FREE_BYTES, archive.length * MAX_RATIO))',
      replace: 'MAX_TAR_BYTES',
    },
  ],
})

threatCase({
  id: 'A05',
  title: 'a frame that asks for a window of more than 128 MiB is refused',
  attack: async () => {
    // Single segment off, window descriptor of 2^28, one raw last block: small, and valid but for its window.
    const tar = Buffer.concat([await plainTar()])
    const frame = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (28 - 10) << 3]), blocks(tar)])
    await refused('ARCHIVE_INVALID', () => readArchive(frame, digestOf(frame)))
  },
  controls: [{ file: 'src/archive/read.ts', find: 'const MAX_WINDOW_LOG = 27', replace: 'const MAX_WINDOW_LOG = 30' }],
})

for (const compression of ['gz', 'zst'] as const) {
  threatCase({
    id: 'A05',
    title: `an image in ${compression} stops at the limit and leaves nothing, in little memory`,
    attack: async (t) => {
      const zeros = Buffer.alloc(64 * MIB)
      const packed = compression === 'gz' ? gzipSync(zeros) : zstdCompressSync(zeros)
      const before = process.memoryUsage().rss
      await refused('SIZE_EXCEEDED', () => importBytes(t, packed, `bomb.raw.${compression}`, { maxBytes: MIB }))
      assert.ok(process.memoryUsage().rss - before < 256 * MIB)
    },
    // The header check would catch the size of the disk afterwards: both go.
    controls: [
      [
        {
          file: 'src/image/decompress.ts',
          find: 'if (size + bytes.length > limit) throw tooLarge(limit)',
          replace: '',
        },
        { file: 'src/image/to-raw.ts', find: 'if (size > maxBytes) {', replace: 'if (size < 0) {' },
      ],
    ],
  })
}

threatCase({
  id: 'A05',
  title: 'an image in xz stops at the limit',
  attack: async (t) => {
    const folder = await makeTempFolder(t)
    const file = join(folder, 'bomb.raw')
    await writeFile(file, Buffer.alloc(32 * MIB))
    execFileSync('xz', ['-q', '-1', file])
    await refused('SIZE_EXCEEDED', async () =>
      importBytes(t, await readFile(`${file}.xz`), 'bomb.raw.xz', { maxBytes: MIB }),
    )
  },
  controls: [
    [
      { file: 'src/image/decompress.ts', find: '`--fsize=${limit}`', replace: "'--nofile=64'" },
      { file: 'src/image/to-raw.ts', find: 'if (size > maxBytes) {', replace: 'if (size < 0) {' },
    ],
  ],
})

threatCase({
  id: 'A06',
  title: 'thousands of tiny entries are refused',
  attack: async () => {
    const many = Array.from({ length: 2100 }, (_, i) => ({ path: `guest/${i}` }))
    const archive = hostileArchive([manifestEntry, ...many])
    await refused('ARCHIVE_ENTRY_REFUSED', () => readArchive(archive, digestOf(archive)))
  },
  controls: [
    { file: POLICY, find: 'if (entries.length > ARCHIVE_LIMITS.entries) {', replace: 'if (entries.length < 0) {' },
  ],
})

threatCase({
  id: 'A06',
  title: 'a path of more than 150 characters is refused',
  attack: async () => {
    const path = `guest/${'a'.repeat(90)}/${'b'.repeat(60)}`
    await refused('ARCHIVE_ENTRY_REFUSED', () => writeArchive(files({ [path]: 'x' })))
  },
  controls: [
    {
      file: POLICY,
      find: "if (plain.length > ARCHIVE_LIMITS.pathLength) throw refuse(path, 'has a path that is too long')",
      replace: '',
    },
  ],
})

threatCase({
  id: 'A07',
  title: 'a qcow2 image whose backing file is a file of the host is refused',
  attack: async (t) => {
    const file = await qcow2(t, ['-b', '/etc/passwd', '-F', 'raw'])
    await refused('IMAGE_INVALID', () => importFile(t, file, 'disk.qcow2'))
  },
  controls: [
    {
      file: 'src/image/foreign-header.ts',
      find: "if (!backing && header.backingFile !== undefined) throw invalid('qcow2', 'stands on another file')",
      replace: '',
    },
  ],
})

threatCase({
  id: 'A07',
  title: 'even an image that passed the header check gets nothing of its backing file',
  attack: async (t) => {
    const folder = await makeTempFolder(t)
    const secret = join(folder, 'secret')
    await writeFile(secret, Buffer.alloc(MIB, 'secret of the host '))
    const file = await qcow2(t, ['-b', secret, '-F', 'raw'], '1M')
    const { imageToRaw } = await import('../../src/image/to-raw.ts')
    const target = join(folder, 'raw')
    // As if the header check had a hole: the file changes between check and use.
    const plain = await qcow2(t, [], '1M')
    const swap = {
      run: async (...args: Parameters<typeof realProcesses.run>) => {
        await writeFile(plain, await readFile(file))
        return realProcesses.run(...args)
      },
    }
    await imageToRaw({ file: plain, format: 'qcow2', target, maxBytes: MIB, processes: swap })
    assert.ok(!(await readFile(target)).includes('secret'))
  },
  controls: [
    {
      file: 'src/image/qemu-node.ts',
      find: "{ driver: 'qcow2', file, backing: below.length === 0 ? null : describeLayers(below, false) }",
      replace: "{ driver: 'qcow2', file }",
    },
  ],
})

threatCase({
  id: 'A07',
  title: 'image convert and resize take nothing from what an image stands on unless they are told to',
  attack: async (t) => {
    const folder = await makeTempFolder(t)
    const secret = join(folder, 'secret')
    await writeFile(secret, Buffer.alloc(MIB, 'secret of the host '))
    const image = await qcow2(t, ['-b', secret, '-F', 'raw'], '1M')
    const workspace = await openLocalWorkspace(t, { folder })
    const { imageConvert } = await import('../../src/operations/image-convert.ts')
    const { imageResize } = await import('../../src/operations/image-resize.ts')
    const none = { fromFormat: 'qcow2', format: undefined, maxSize: undefined, compress: false, force: false }
    await refused('IMAGE_INVALID', () =>
      imageConvert(workspace, { ...none, image, out: 'out.raw', backing: false, dryRun: false }),
    )
    await refused('IMAGE_INVALID', () =>
      imageResize(workspace, { image, format: 'qcow2', size: '2MiB', shrink: false, backing: false, dryRun: false }),
    )
    assert.deepEqual(await readdir(folder), ['secret'])
  },
  controls: [
    {
      file: 'src/image/backing-chain.ts',
      find: 'if (below?.backingFile !== undefined && !follow) {',
      replace: 'if (layers.length === 0) {',
    },
  ],
})

threatCase({
  id: 'A07',
  title: 'a qcow2 image with an external data file is refused',
  attack: async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'data'), Buffer.alloc(MIB, 'secret'))
    const file = await qcow2(t, ['-o', `data_file=${join(folder, 'other')},data_file_raw=on`], '1M')
    await refused('IMAGE_INVALID', () => importFile(t, file, 'disk.qcow2'))
  },
  controls: [
    [
      {
        file: 'src/image/qcow2-header.ts',
        find: "if ((incompatibleFeatures & ~KNOWN_FEATURES) !== 0n) throw invalid('has an external data file or unknown features')",
        replace: '',
      },
      {
        file: 'src/image/qcow2-header.ts',
        find: "if (extensions.has(DATA_FILE_EXTENSION)) throw invalid('names an external data file')",
        replace: '',
      },
    ],
  ],
})

threatCase({
  id: 'A08',
  title: 'a raw image whose first bytes look like qcow2 stays raw, byte for byte',
  attack: async (t) => {
    const image = await readFile(await qcow2(t, ['-b', '/etc/passwd', '-F', 'raw']))
    assert.ok((await importBytes(t, image, 'disk.raw')).equals(image))
    assert.ok((await importBytes(t, image, 'disk.img', { format: 'raw' })).equals(image))
  },
  controls: [
    {
      file: 'src/image/format.ts',
      find: "if (format === 'raw') return 'raw'",
      replace: "if (format === 'raw') return looks ?? 'raw'",
    },
  ],
})

threatCase({
  id: 'A08',
  title: 'a template that has an image opened as anything but raw is refused',
  attack: async () => {
    const template = readTemplate('os-debian/domain.xml.hbs').replace(
      '{{> medium}}',
      "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{{images.disk}}'/><target dev='vdb' bus='virtio'/><readonly/></disk>",
    )
    const xml = renderDomain({ template, partials: readPartials(), context: osContext })
    await refused('POLICY_REFUSED', () => gate(xml))
  },
  controls: [
    {
      file: 'src/render/judge-disks.ts',
      find: "if (format !== 'raw') faults.push('an image or a medium has format raw')",
      replace: '',
    },
  ],
})

threatCase({
  id: 'A09',
  title: 'a disk of another size than declared is refused',
  attack: async (t) => {
    const file = await qcow2(t, [], '16G')
    await refused('IMAGE_INVALID', () =>
      importFile(t, file, 'disk.qcow2', { virtualSize: 16 * MIB, maxBytes: 2 ** 40 }),
    )
  },
  controls: [
    {
      file: 'src/image/to-raw.ts',
      find: 'if (options.virtualSize !== undefined && size !== options.virtualSize) {',
      replace: 'if (size < 0) {',
    },
  ],
})

threatCase({
  id: 'A09',
  title: 'internal snapshots are refused',
  attack: async (t) => {
    const file = await qcow2(t, [], '1M')
    execFileSync('qemu-img', ['snapshot', '-c', 'one', file])
    await refused('IMAGE_INVALID', () => importFile(t, file, 'disk.qcow2'))
  },
  controls: [
    {
      file: 'src/image/foreign-header.ts',
      find: "if (!blemishes && header.snapshotCount > 0) throw invalid('qcow2', 'holds internal snapshots')",
      replace: '',
    },
  ],
})

threatCase({
  id: 'A09',
  title: 'reference counts that contradict the tables are refused',
  attack: async (t) => {
    const file = await qcow2(t, [], '1M')
    const bytes = await readFile(file)
    const block = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(48))))
    bytes.fill(0, block, block + 16)
    await refused('IMAGE_INVALID', () => importBytes(t, bytes, 'disk.qcow2'))
  },
  controls: [
    { file: 'src/image/to-raw.ts', find: "if (format === 'qcow2') await verifyTables(source, tool)", replace: '' },
  ],
})

threatCase({
  id: 'A09',
  title: '10,000 mutated headers are accepted or refused, and none does anything else',
  attack: async (t) => {
    const ends = await readEnds(await qcow2(t, [], '64M'))
    const random = new Random(9)
    let refusals = 0
    for (let run = 0; run < 10_000; run++) {
      const head = Buffer.from(ends.head.subarray(0, random.below(20) === 0 ? random.below(200) : undefined))
      for (let changes = 1 + random.below(8); changes > 0; changes--)
        if (head.length > 0) head[random.below(Math.min(head.length, 112))] = random.below(256)
      try {
        verifyForeignHeader('qcow2', { ...ends, head })
      } catch (error) {
        assert.ok(isVmpkgError(error, 'IMAGE_INVALID'), String(error))
        refusals++
      }
    }
    assert.ok(refusals > 3000)
  },
  controls: [
    {
      file: 'src/image/qcow2-header.ts',
      find: "bytes.length < 104 || bytes.toString('latin1', 0, 4) !== 'QFI\\xfb'",
      replace: 'bytes.length < 0',
    },
  ],
})

threatCase({
  id: 'A10',
  title: 'a value becomes text whatever it holds',
  attack: () => {
    const template = '<domain><name>{{params.x}}</name><a b="{{params.x}}"/></domain>'
    for (const x of [
      `'/><hostdev/><x y='`,
      ']]>',
      '</name></domain>',
      '<![CDATA[',
      '&x;',
      '--><a/><!--',
      '{{images.disk}}',
    ]) {
      const context = { ...consoleContext, params: { x } }
      const root = parseXml(renderDomain({ template, partials: {}, context, parameterNames: ['x'] })).root
      const name = findElement(root, 'name')
      assert.equal(name === undefined ? undefined : getText(name), x)
      assert.equal(root.children.filter((node) => node.type === 'element').length, 2)
    }
  },
  controls: [{ file: 'src/render/format.ts', find: 'return escapeXml(text)', replace: 'return text' }],
})

threatCase({
  id: 'A10',
  title: 'control characters never reach a domain',
  attack: async () => {
    const context = { ...consoleContext, params: { x: 'a\u0000b\u001b[2J' } }
    const template = '<domain><name>{{params.x}}</name></domain>'
    await refused('RENDER_REFUSED', () => renderDomain({ template, partials: {}, context, parameterNames: ['x'] }))
  },
  controls: [
    { file: 'src/render/format.ts', find: 'return escapeXml(text)', replace: "return text.replaceAll(/[^a-z]/g, '')" },
  ],
})

for (const [what, devices] of [
  ['a file system of the host', "<filesystem type='mount'><source dir='/'/><target dir='x'/></filesystem>"],
  ['a device of the host', "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/></source></hostdev>"],
  [
    'a socket of the host',
    "<channel type='unix'><source mode='connect' path='/run/x'/><target type='virtio' name='x'/></channel>",
  ],
  [
    'a disk of the host',
    "<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/sda'/><target dev='vdb' bus='virtio'/></disk>",
  ],
] as const) {
  threatCase({
    id: 'A11',
    title: `a template that asks for ${what} is refused`,
    attack: async () => {
      const template = readTemplate('os-debian/domain.xml.hbs').replace('{{> headless}}', devices)
      await refused('POLICY_REFUSED', () =>
        gate(renderDomain({ template, partials: readPartials(), context: osContext })),
      )
    },
    controls: [
      { file: 'src/render/policy.ts', find: 'if (first === undefined) return', replace: 'if (first !== null) return' },
    ],
  })
}

threatCase({
  id: 'A11',
  title: 'arguments for QEMU itself are refused',
  attack: async () => {
    const template = readTemplate('os-debian/domain.xml.hbs')
      .replace('<domain ', "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' ")
      .replace('</domain>', "<qemu:commandline><qemu:arg value='-fsdev'/></qemu:commandline></domain>")
    await refused('POLICY_REFUSED', () =>
      gate(renderDomain({ template, partials: readPartials(), context: osContext })),
    )
  },
  controls: [
    {
      file: 'src/render/domain-policy.ts',
      find: "...findViolations(document, ['domain', domain], gate),",
      replace: '',
    },
  ],
})

/** A package that declares a capability which the user granted, or not. */
function gateWith(
  devices: string,
  capability: Capability,
  granted: readonly GrantName[],
  parameters: ParameterValues = {},
): unknown {
  const template = readTemplate('os-debian/domain.xml.hbs').replace('{{> headless}}', () => `{{> headless}}${devices}`)
  const capabilities: readonly Capability[] = [{ name: 'network', wan: 'uni' }, capability]
  const xml = renderDomain({ template, partials: readPartials(), context: osContext })
  const choices = choicesOf({ parameters, definitions: {}, context: {} })
  return verifyDomainPolicy({ xml, context: osContext, capabilities, granted, choices })
}

const hostDisk = (file: string): string =>
  `<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='${file}'/><target dev='sdb' bus='sata'/><readonly/></disk>`
const hostPci = (bus: string, fn: string): string =>
  `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x${bus}' slot='0x00' function='0x${fn}'/></source></hostdev>`

threatCase({
  id: 'A11',
  title: 'a template that was granted files names one that the user did not choose',
  attack: async () => {
    const given: ParameterValues = { iso: { value: '/srv/a.iso', origin: 'command line' } }
    const capability: Capability = { name: 'host-file', access: 'read' }
    gateWith(hostDisk('/srv/a.iso'), capability, ['host-file'], given)
    await refused('POLICY_REFUSED', () => gateWith(hostDisk('/etc/shadow'), capability, ['host-file'], given))
  },
  controls: [
    {
      file: 'src/render/policy.ts',
      find: "gate.isChosen(value) ? undefined : 'is not among the values that the user gave'",
      replace: 'gate.isChosen(value) ? undefined : undefined',
    },
  ],
})

threatCase({
  id: 'A11',
  title: 'a package chooses a file of the host by a default of its own',
  attack: async () => {
    const given: ParameterValues = { iso: { value: '/etc/shadow', origin: 'default' } }
    const capability: Capability = { name: 'host-file', access: 'read' }
    await refused('POLICY_REFUSED', () => gateWith(hostDisk('/etc/shadow'), capability, ['host-file'], given))
  },
  controls: [
    {
      file: 'src/render/choices.ts',
      find: "return origin !== undefined && origin !== 'default' && origin !== 'package'",
      replace: 'return origin !== undefined',
    },
  ],
})

threatCase({
  id: 'A11',
  title: 'a template puts the address of a third device together from two that the user chose',
  attack: async () => {
    const given: ParameterValues = { gpu: { value: '0000:01:00.0,0000:02:00.1', origin: 'command line' } }
    const capability: Capability = { name: 'pci', class: 'display' }
    gateWith(hostPci('01', '0'), capability, ['pci'], given)
    await refused('POLICY_REFUSED', () => gateWith(hostPci('01', '1'), capability, ['pci'], given))
  },
  controls: [
    {
      file: 'src/render/rules/host-device.ts',
      find: 'if (ofClass === undefined && !gate.isChosen(id)) return UNPLANNED',
      replace: '',
    },
  ],
})

threatCase({
  id: 'A11',
  title: 'a capability that is signed and was not granted allows nothing',
  attack: async () => {
    const vsock = "<vsock model='virtio'><cid auto='yes'/></vsock>"
    gateWith(vsock, { name: 'vsock' }, ['vsock'])
    await refused('POLICY_REFUSED', () => gateWith(vsock, { name: 'vsock' }, ['usb']))
  },
  controls: [
    {
      file: 'src/render/gate.ts',
      find: "if (need === 'network:lan' || signed.some((one) => isGrantedBy(one, granted))) return undefined",
      replace: 'if (granted.length > -1) return undefined',
    },
  ],
})

threatCase({
  id: 'A11',
  title:
    'arguments for QEMU in a namespace of another name, or declared elsewhere, are refused though they were granted',
  attack: async () => {
    const capability: Capability = { name: 'qemu-commandline' }
    const uri = 'http://libvirt.org/schemas/domain/qemu/1.0'
    for (const trick of [
      `<q:commandline xmlns:q='${uri}'><q:arg value='-S'/></q:commandline>`,
      `<commandline xmlns='${uri}'><arg value='-S'/></commandline>`,
      "<qemu:commandline xmlns:qemu='urn:x'><qemu:arg value='-S'/></qemu:commandline>",
    ]) {
      await refused('POLICY_REFUSED', () => gateWith(trick, capability, ['qemu-commandline']))
    }
  },
  controls: [
    {
      file: 'src/render/policy.ts',
      find: "if (childRule === undefined) walk.findings.push({ path: childPlace, reason: 'this element is not allowed' })",
      replace: 'if (childRule === undefined) continue',
    },
  ],
})

threatCase({
  id: 'A10',
  title: 'half a surrogate pair, which UTF-8 would replace, reaches no file',
  attack: async () => {
    const context = { ...consoleContext, params: { x: 'a\ud800' } }
    const template = '<domain><name>{{params.x}}</name></domain>'
    await refused('RENDER_REFUSED', () => renderDomain({ template, partials: {}, context, parameterNames: ['x'] }))
  },
  controls: [
    [
      {
        file: 'src/render/format.ts',
        find: "if (segment.kind === 'value' && !segment.text.isWellFormed()) {",
        replace: "if (segment.kind === 'value' && segment.text === '') {",
      },
      {
        file: 'src/render/format.ts',
        find: 'return escapeXml(text)',
        replace: "return text.replaceAll(/[^a-z]/g, '')",
      },
    ],
  ],
})

for (const [what, template, control] of [
  [
    'a prototype',
    '{{params.constructor.name}}',
    { find: "if (typeof part !== 'string' || REFUSED_NAMES.has(part))", replace: 'if (part === null)' },
  ],
  [
    'a value without escaping',
    '{{{params.x}}}',
    { find: "if (!statement.escaped) refuse(name, line, 'a value without escaping ({{{ }}} or {{& }})')", replace: '' },
  ],
  [
    'a computed partial',
    '{{> (eq params.x "medium")}}',
    {
      find: "if (!isKind(target, 'PathExpression')) return refuse(name, line, 'a partial whose name is computed')",
      replace: "if (!isKind(target, 'PathExpression')) return { kind: 'text', text: '' } as unknown as TemplateNode",
    },
  ],
  [
    'thousands of tags',
    '{{params.x}}'.repeat(2100),
    { find: 'if (tags > MAXIMUM_TAGS) refuse(name, 0, `more than ${MAXIMUM_TAGS} tags`)', replace: '' },
  ],
] as const) {
  threatCase({
    id: 'A12',
    title: `a template that uses ${what} is refused`,
    attack: async () => {
      const context = { ...consoleContext, params: { x: 'a' } }
      const text = `<domain>${template}</domain>`
      await refused('TEMPLATE_INVALID', () =>
        renderDomain({ template: text, partials: readPartials(), context, parameterNames: ['x', 'constructor'] }),
      )
    },
    controls: [{ file: 'src/render/template.ts', ...control }],
  })
}

threatCase({
  id: 'A13',
  title: 'names that a shell or XML would read as more than a name are refused',
  attack: async () => {
    for (const name of ['a;reboot', '$(x)', '-rf', 'a b', 'a/../b', '<x>', 'a\n', "a'b", 'ä', '']) {
      await refused('NAME_INVALID', () => parseDomainName(name))
    }
  },
  controls: [
    {
      file: 'src/model/name.ts',
      find: 'return text.length <= MAX_LABEL && LABEL.test(text)',
      replace: 'return text.length <= MAX_LABEL',
    },
  ],
})

threatCase({
  id: 'A14',
  title: 'escape sequences of a description reach no terminal, and JSON escapes them',
  attack: () => {
    const text = 'a\u001b]0;x\u0007\u009b31m\u202eb\r\u0000'
    assert.doesNotMatch(redact(text), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
    const json = formatJson({ text })
    assert.doesNotMatch(json, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
    assert.deepEqual(JSON.parse(json), { text })
  },
  controls: [
    {
      file: 'src/cli/redact.ts',
      find: "return hideCredentials(text).replaceAll(CONTROL, '?')",
      replace: 'return hideCredentials(text)',
    },
    {
      file: 'src/cli/redact.ts',
      find: "return text.replaceAll(CONTROL, (char) => `\\\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)",
      replace: 'return text',
    },
  ],
})

for (const path of ['postinst', 'preinst.sh', 'hooks/x', 'scripts/postrm', 'HOOKS.D/x']) {
  threatCase({
    id: 'A15',
    title: `a package with ${path} is refused`,
    attack: async () => {
      const archive = hostileArchive([manifestEntry, { path, content: Buffer.from('#!/bin/sh\n') }])
      await refused('ARCHIVE_ENTRY_REFUSED', () => readArchive(archive, digestOf(archive)))
    },
    controls: [{ file: POLICY, find: 'verifyNoHostScript(plain)\n', replace: '\n' }],
  })
}

threatCase({
  id: 'A16',
  title: 'two clones share nothing of their identity, nor with any image',
  attack: () => {
    const randomness = { bytes: (count: number) => new Uint8Array(randomBytes(count)) }
    const all = Array.from({ length: 500 }, () => ({ ...newIdentity('a', randomness), mac: newMac(randomness) }))
    // The guest's SSH host keys are made from the seed's entropy at first boot; no image holds any.
    for (const field of ['uuid', 'machineId', 'seed', 'mac'] as const) {
      assert.equal(new Set(all.map((one) => one[field])).size, all.length, field)
    }
    for (const { uuid, machineId, mac } of all) {
      assert.notEqual(uuid.replaceAll('-', ''), machineId)
      assert.match(mac, /^.[26ae]:/)
    }
  },
  controls: [
    {
      file: 'src/domain/identity.ts',
      find: 'uuid: newUuid(randomness),',
      replace: "uuid: '00000000-0000-4000-8000-000000000000',",
    },
    {
      file: 'src/domain/identity.ts',
      find: "machineId: newUuid(randomness).replaceAll('-', ''),",
      replace: "machineId: '0'.repeat(32),",
    },
    {
      file: 'src/domain/identity.ts',
      find: "seed: Buffer.from(randomness.bytes(32)).toString('hex'),",
      replace: "seed: '0'.repeat(64),",
    },
    {
      file: 'src/domain/identity.ts',
      find: 'const bytes = Buffer.from(randomness.bytes(6))',
      replace: 'const bytes = Buffer.alloc(6)',
    },
  ],
})

async function qcow2(t: TestContext, options: readonly string[], size = '16M'): Promise<string> {
  const file = join(await makeTempFolder(t), 'disk.qcow2')
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, file, size])
  return file
}

type ImportOptions = Partial<Pick<Parameters<typeof rawFrom>[0], 'format' | 'virtualSize' | 'maxBytes'>>

async function importFile(t: TestContext, file: string, name: string, options: ImportOptions = {}): Promise<Buffer> {
  const work = await makeTempFolder(t)
  const target = join(work, 'target')
  await rawFrom({ file, name, maxBytes: 64 * MIB, work, target, processes: realProcesses, ...options })
  return readFile(target)
}

async function importBytes(
  t: TestContext,
  bytes: Uint8Array,
  name: string,
  options: ImportOptions = {},
): Promise<Buffer> {
  const file = join(await makeTempFolder(t), 'file')
  await writeFile(file, bytes)
  return importFile(t, file, name, options)
}

function gate(xml: string): unknown {
  return verifyDomainPolicy({ xml, context: osContext, capabilities: [{ name: 'network', wan: 'uni' }], granted: [] })
}

/** The tar of a good archive. */
async function plainTar(): Promise<Buffer> {
  const { zstdDecompressSync } = await import('node:zlib')
  return zstdDecompressSync(writeArchive(files()))
}

/** Raw zstd blocks of at most 128 KiB. */
function blocks(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 131_072) {
    const part = bytes.subarray(at, at + 131_072)
    const header = Buffer.alloc(3)
    header.writeUIntLE((part.length << 3) | (at + part.length >= bytes.length ? 1 : 0), 0, 3)
    parts.push(header, part)
  }
  return Buffer.concat(parts)
}
