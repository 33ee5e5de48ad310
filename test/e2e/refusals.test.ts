/**
 * Bad input through the real command line: each gives its code, a hint and exit status 100, and an observer who uses
 * virsh, SQLite and the file system sees the same before and after. Packages are tiny, and but for one no machine starts.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before as beforeAll, beforeEach, describe, test } from 'node:test'
import type { ErrorCode } from '../../src/errors.ts'
import { canonicalJsonBytes } from '../../src/model/canonical-json.ts'
import { mergeEntries } from '../../src/publish/registry-add.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { signFile } from '../../src/publish/signer.ts'
import type { CliWay } from '../support/cli.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { makeSite, NOTHING, type Observation, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const HOST = 'refusals'
const TEST = join(import.meta.dirname, '..')
const FOREIGN = `<domain type='qemu'><name>NAME</name><memory unit='MiB'>32</memory><os><type>hvm</type></os></domain>`
/** Runs the words after it in a mount namespace of their own, once the script in `$0` has changed it. */
const APART = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  '--mount',
  'sh',
  '-c',
  'eval "$0" && exec "$@"',
]

interface Refusal {
  readonly schema: string
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly details: Readonly<Record<string, unknown>>
}

describe('refusals', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  let lockHolder: ChildProcess
  let lockHeld: Promise<{ status: number; error: Refusal; waited: string }>
  const at = (...parts: string[]): string => join(site.cli.folder, ...parts)

  beforeAll(async () => {
    site = await makeSite(HOST, [
      tinyRouter('router-tiny'),
      tinyRouter('router-second'),
      tinyRouter('router-greedy', { devices: "<filesystem type='mount'><source dir='/'/></filesystem>" }),
      tinyRouter('router-stash', { devices: '{{{domain.name}}}' }),
      tinyApp('app-tiny', { manifest: 'depends: [router-tiny]' }),
      tinyApp('app-alone'),
      tinyApp('app-greedy', { devices: "<hostdev mode='subsystem' type='usb'/>" }),
    ])
    await publishLiar()
    await site.cli.ok(['update'])
    lockHeld = meetHeldLock()
  })

  after(async () => {
    lockHolder.kill()
    await site.close()
  })

  /** A package whose line was signed properly, and says something else than its archive. */
  async function publishLiar(): Promise<void> {
    const { folder, publisher, timestamping } = site.registry
    const { entries } = await readRegistry(folder)
    const honest = entries.find(({ line }) => Buffer.from(line).includes('"name":"app-alone"'))
    assert.ok(honest)
    const line = canonicalJsonBytes({ ...JSON.parse(Buffer.from(honest.line).toString()), name: 'app-liar' })
    const { signatures } = await signFile([publisher], 'publisher', 'line', line)
    await mergeEntries(folder, [{ line, signatures, transport: honest.transport }], timestamping)
  }

  /** Takes a minute, beside the other tests: another root whose lock somebody holds. */
  async function meetHeldLock(): Promise<{ status: number; error: Refusal; waited: string }> {
    const root = at('locked')
    await site.cli.ok(['list', '--root', root]).catch(() => {}) // an empty list is a negative answer
    const script = join(TEST, 'state', 'children', 'hold-lock.ts')
    const lock = join(root, 'var', 'lib', 'vmpkg', 'lock')
    lockHolder = spawn(process.execPath, [script, lock, '120000'], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => lockHolder.stdout?.once('data', resolve))
    const { status, stderr } = await site.cli.run(['gc', '--json', '--root', root])
    const lines = stderr.trimEnd().split('\n')
    return { status, error: JSON.parse(lines.at(-1) ?? '') as Refusal, waited: lines[0] ?? '' }
  }

  /** Runs with --json and returns the refusal; fails when anything but that one document came, or anything changed. */
  async function refused(args: readonly string[], code: ErrorCode, way: CliWay = {}): Promise<Refusal> {
    const before = await site.observe()
    const { status, stdout, stderr } = await site.cli.run([...args, '--json'], '', way)
    const documents = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Refusal)
    const errors = documents.filter(({ schema }) => schema === 'vmpkg.error/1')
    assert.equal(errors.length, 1, stderr)
    const [error] = errors
    assert.ok(error)
    assert.equal(error.code, code, stderr)
    assert.equal(status, code === 'USAGE' ? 2 : 100)
    assert.equal(stdout, '')
    assert.ok((error.hint ?? '').length > 10, `no hint: ${stderr}`)
    assert.deepEqual(await site.observe(), before)
    assert.deepEqual(before.damaged, [])
    assert.deepEqual(before.pending, [])
    return error
  }

  /** Changes a file of the registry while `run` runs. */
  async function withFile(
    path: string,
    change: (bytes: Buffer) => Uint8Array,
    run: () => Promise<unknown>,
  ): Promise<void> {
    const file = join(site.registry.folder, path)
    const original = await readFile(file)
    await writeFile(file, change(Buffer.from(original)))
    try {
      await run()
    } finally {
      await writeFile(file, original)
    }
  }

  const flip = (bytes: Buffer): Buffer => {
    const middle = Math.floor(bytes.length / 2)
    bytes[middle] = (bytes[middle] ?? 0) ^ 0x40
    return bytes
  }

  async function lineOf(name: string): Promise<{ package: { sha256: string }; images: { map: { sha256: string } }[] }> {
    const { entries } = await readRegistry(site.registry.folder)
    const lines = entries.map(({ line }) => JSON.parse(Buffer.from(line).toString()) as { name: string })
    const found = lines.find((line) => line.name === name)
    assert.ok(found)
    return found as never
  }

  describe('of the command line', () => {
    test('an unknown command, an unknown option and a missing argument are usage errors', async () => {
      assert.match((await refused(['instal', 'x'], 'USAGE')).hint ?? '', /vmpkg install/)
      await refused(['install', '--colour', 'x'], 'USAGE')
      await refused(['install'], 'USAGE')
      await refused(['install', 'router-tiny', '--set', 'memory'], 'USAGE')
      await refused(['clone', 'app-alone', '--ephemeral', '--no-start'], 'PACKAGE_NOT_INSTALLED')
    })

    test('a question without a terminal is refused, with the way to answer it beforehand', async () => {
      const { hint } = await refused(['install', 'app-alone'], 'CONFIRMATION_NEEDED')
      assert.match(hint ?? '', /-y/)
      await refused(['key', 'generate', 'me', '--keys', at('keys')], 'CONFIRMATION_NEEDED')
    })

    test('-y grants nothing', async () => {
      const { hint, details } = await refused(['install', '-y', 'router-tiny'], 'CAPABILITY_NOT_GRANTED')
      assert.match(hint ?? '', /--grant network/)
      assert.ok(Array.isArray(details['missing']))
    })

    test('at a terminal a no, an end of input and Ctrl-C leave everything as it was', async () => {
      const before = await site.observe()
      const terminal = ['bash', '-c', 'exec script -qec "$(printf "%q " "$@")" /dev/null', 'bash']
      for (const [typed, expected] of [
        ['n\n', 1],
        ['', 1],
        ['\u0003', 130],
      ] as const) {
        const running = site.cli.start(['install', 'app-alone'], undefined, { prefix: terminal })
        await running.said(/\[y\/N\]/)
        running.type(typed)
        assert.equal((await running.done).status, expected, JSON.stringify(typed))
        assert.deepEqual(await site.observe(), before)
      }
    })

    test('without --json the same is text for a person, and no escape sequence goes into a pipe', async () => {
      const { status, stdout, stderr } = await site.cli.run(['install', '-y', 'router-tiny'])
      assert.equal(status, 100)
      assert.equal(stdout, '')
      assert.match(stderr, /^E: Not granted: network to router-tiny \[CAPABILITY_NOT_GRANTED\]\n {3}\S/m)
      assert.doesNotMatch(stderr, /\u001b/)
    })
  })

  describe('of names and values', () => {
    test('an unknown package comes with the one that was meant', async () => {
      const { hint, message } = await refused(['install', '-y', 'router-tinny'], 'PACKAGE_UNKNOWN')
      assert.match(`${message} ${hint}`, /router-tiny/)
      await refused(['show', 'nothing-like-it'], 'PACKAGE_UNKNOWN')
    })

    test('names that are none are refused before anything is looked up', async () => {
      for (const name of ['../etc', 'A', 'x'.repeat(300)]) await refused(['install', '-y', name], 'NAME_INVALID')
      await refused(['install', '-y', 'router-tiny=not a version'], 'VERSION_INVALID')
    })

    test('a host without any source says how to add one', async () => {
      assert.match((await refused(['update', '--root', at('empty')], 'SOURCE_UNKNOWN')).hint ?? '', /source add/)
      await refused(['install', '-y', 'router-tiny', '--root', at('empty')], 'SOURCE_UNKNOWN')
      await refused(['source', 'remove', 'nobody'], 'SOURCE_UNKNOWN')
    })

    test('parameters of a wrong type, out of range, unknown or of another package are refused', async () => {
      const install = ['install', '-y', '--grant', 'network', 'router-tiny', '--set']
      await refused([...install, 'memory=banana'], 'PARAMETER_INVALID')
      await refused([...install, 'memory=1MiB'], 'PARAMETER_INVALID')
      await refused([...install, 'colour=red'], 'PARAMETER_INVALID')
      await refused([...install, 'router-tinny:memory=64MiB'], 'USAGE')
      await refused([...install, 'uplink=network:nowhere'], 'NETWORK_UNAVAILABLE')
      await refused([...install, 'uplink=bridge:br0'], 'HOST_UNSUPPORTED')
    })

    test('a machine that is not there is unknown', async () => {
      for (const command of ['start', 'stop', 'console', 'logs', 'status'])
        await refused([command, 'ghost'], 'DOMAIN_UNKNOWN')
      await refused(['rm', '-y', 'ghost'], 'DOMAIN_UNKNOWN')
      await refused(['remove', '-y', 'router-tiny'], 'PACKAGE_NOT_INSTALLED')
      await refused(['clone', 'app-alone'], 'PACKAGE_NOT_INSTALLED')
    })
  })

  describe('of what a server sends', () => {
    const install = ['install', '-y', '--grant', 'network', '--no-start', 'router-tiny']
    // What an earlier test fetched would be taken as it is.
    beforeEach(() => site.cli.ok(['clean']))

    test('an altered package is refused', async () => {
      const { package: archive } = await lineOf('router-tiny')
      await withFile(`package/${archive.sha256}.vmpkg`, flip, () => refused(install, 'DIGEST_MISMATCH'))
    })

    test('another, longer file in its place is refused at its signed size', async () => {
      const { package: archive } = await lineOf('router-tiny')
      const longer = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(1)])
      await withFile(`package/${archive.sha256}.vmpkg`, longer, () => refused(install, 'SIZE_EXCEEDED'))
    })

    test('an altered chunk map and altered image data are refused', async () => {
      const { images } = await lineOf('router-tiny')
      await withFile(`map/${images[0]?.map.sha256}`, flip, () => refused(install, 'DIGEST_MISMATCH'))
      const blobs = await readdir(join(site.registry.folder, 'blob'))
      const originals = await Promise.all(blobs.map((name) => readFile(join(site.registry.folder, 'blob', name))))
      for (const [i, name] of blobs.entries()) {
        await writeFile(join(site.registry.folder, 'blob', name), flip(Buffer.from(originals[i] ?? '')))
      }
      try {
        const { status, stderr } = await site.cli.run([...install, '--json'])
        assert.equal(status, 100)
        assert.match(stderr, /"code":"(DIGEST_MISMATCH|IMAGE_INVALID)"/)
      } finally {
        for (const [i, name] of blobs.entries()) {
          await writeFile(join(site.registry.folder, 'blob', name), originals[i] ?? '')
        }
      }
      const { domains, networks, installed, imageHolders, pending } = await site.observe()
      const seen = { domains, networks, installed, imageHolders, pending }
      assert.deepEqual({ ...NOTHING, ...seen }, NOTHING)
      await site.cli.ok(['gc']) // an unfinished image is kept for the next try; it is not needed here
      assert.deepEqual((await site.observe()).damaged, [])
    })

    test('a package that is missing is a failed download', async () => {
      const { package: archive } = await lineOf('router-tiny')
      const file = join(site.registry.folder, `package/${archive.sha256}.vmpkg`)
      const original = await readFile(file)
      await rm(file)
      try {
        await refused(install, 'DOWNLOAD_FAILED')
      } finally {
        await writeFile(file, original)
      }
    })

    test('a properly signed line that its archive contradicts is refused', async () => {
      const { message } = await refused(['install', '-y', 'app-liar'], 'ARCHIVE_INVALID')
      assert.match(message, /contradicts its signed line/)
    })

    test('an envelope without signatures, with a false one and of another registry are refused', async () => {
      const unsigned = (bytes: Buffer): Uint8Array =>
        Buffer.from(JSON.stringify({ ...JSON.parse(bytes.toString()), signatures: [] }))
      const codes: string[] = []
      const update = async (): Promise<void> => {
        const before = await site.observe()
        const { status, stderr } = await site.cli.run(['update', '--json'])
        assert.equal(status, 100)
        codes.push((JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as Refusal).code)
        assert.deepEqual(await site.observe(), before)
      }
      await withFile('envelope.json', unsigned, update)
      await withFile('envelope.json', flip, update)
      await using other = await buildRegistry({ clock: site.registry.clock })
      const theirs = await readFile(join(other.folder, 'envelope.json'))
      await withFile('envelope.json', () => theirs, update)
      for (const code of codes) assert.match(code, /^(SIGNATURE_\w+|THRESHOLD_UNMET|ENVELOPE_INVALID|SOURCE_CHANGED)$/)
    })

    test('an altered index and altered channels are refused when they are fetched', async () => {
      const fresh = ['--root', at('fresh')]
      const { folder } = site.registry
      await site.cli.ok(['source', 'add', 'test', folder, '--root-file', join(folder, 'root', '1.json'), ...fresh])
      for (const kind of ['index', 'channels']) {
        const copy = at('kept')
        await cp(join(folder, kind), copy, { recursive: true })
        for (const name of await readdir(copy))
          await writeFile(join(folder, kind, name), flip(await readFile(join(copy, name))))
        try {
          await refused(['update', ...fresh], 'DIGEST_MISMATCH')
        } finally {
          await cp(copy, join(folder, kind), { recursive: true })
          await rm(copy, { recursive: true })
        }
      }
      await site.cli.ok(['update', ...fresh])
    })
  })

  describe('of templates', () => {
    test('XML that asks for more than its package’s capabilities is refused with every finding', async () => {
      const { details } = await refused(['install', '-y', '--grant', 'network', 'router-greedy'], 'POLICY_REFUSED')
      assert.match(JSON.stringify(details['findings']), /domain\/devices\/filesystem/)
      await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app-greedy'])
      await refused(['clone', 'app-greedy'], 'POLICY_REFUSED')
      await site.cli.ok(['remove', '-y', 'app-greedy', 'router-tiny'])
    })

    test('an unescaped expression is refused', async () => {
      await refused(['install', '-y', '--grant', 'network', 'router-stash'], 'TEMPLATE_INVALID')
    })
  })

  describe('of this machine', () => {
    test('a libvirt that is not there is unreachable', async () => {
      const uri = 'qemu+unix:///system?socket=/nonexistent'
      const { details } = await refused(['install', '-y', 'app-alone', '--connect', uri], 'LIBVIRT_UNREACHABLE')
      assert.equal(details['uri'], uri)
      await refused(['status', 'x', '--connect', uri], 'LIBVIRT_UNREACHABLE')
    })

    test('a machine without QEMU cannot start a private host, and the package to install is named', async () => {
      const hidden = [...APART, 'mount --bind /dev/null "$(command -v qemu-system-x86_64)"']
      const { hint } = await refused(['host', 'private', 'start', 'blind'], 'TOOL_MISSING', { prefix: hidden })
      assert.match(hint ?? '', /qemu-system-x86/)
    })

    test('a libvirt without QEMU is told from one that works', async () => {
      const inside = (...argv: string[]): Promise<string> =>
        site.cli.ok(['host', 'private', 'shell', HOST, '--', ...argv])
      await inside('mount', '--bind', '/dev/null', '/usr/bin/qemu-system-x86_64')
      try {
        await refused(['install', '-y', '--grant', 'network', 'router-tiny'], 'HOST_UNSUPPORTED')
      } finally {
        await inside('umount', '/usr/bin/qemu-system-x86_64')
      }
    })

    test('a tool that is missing half way undoes what was done before it was needed', async () => {
      await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app-alone'])
      await site.cli.ok(['clone', 'app-alone', '--name', 'original', '--no-start'])
      const hidden = [...APART, 'mount --bind /dev/null "$(command -v qemu-nbd)"']
      const copied = ['clone', '--from', 'original', '--name', 'copy', '--no-start']
      const { hint } = await refused(copied, 'TOOL_MISSING', { prefix: hidden })
      assert.match(hint ?? '', /qemu-utils/)
      await site.cli.ok(['rm', '-y', 'original'])
      await site.cli.ok(['remove', '-y', 'app-alone', 'router-tiny'])
    })

    test('a root that may not be written is NO_RIGHTS, in a new place and in a used one', async () => {
      const readOnly = (folder: string): readonly string[] => [
        ...APART,
        `mount --bind '${folder}' '${folder}' && mount -o remount,bind,ro '${folder}'`,
      ]
      await mkdir(at('closed'))
      await refused(['update', '--root', at('closed', 'root')], 'NO_RIGHTS', { prefix: readOnly(at('closed')) })
      await refused(['gc'], 'NO_RIGHTS', { prefix: readOnly(at('root')) })
    })

    test('a disk without space is NO_SPACE before the first byte', async () => {
      const images = at('root', 'var', 'lib', 'vmpkg', 'images')
      const small = [...APART, `mount -t tmpfs -o size=16k,mode=755 none '${images}'`]
      await refused(['install', '-y', '--grant', 'network', 'router-tiny'], 'NO_SPACE', { prefix: small })
    })

    test('a disk that fills while a medium is written is told, and everything is undone', async () => {
      await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app-alone'])
      const folders = (await site.observe()).machineFiles.map((path) => path.split('/')[0])
      const overlays = at('root', 'var', 'lib', 'vmpkg', 'connections', folders[0] ?? '', 'overlays')
      const small = [...APART, `mount -t tmpfs -o size=16k,mode=711 none '${overlays}'`]
      await refused(['clone', 'app-alone', '--no-start'], 'NO_SPACE', { prefix: small })
      await site.cli.ok(['remove', '-y', 'app-alone', 'router-tiny'])
    })
  })

  describe('of names that are taken', () => {
    const install = ['install', '-y', '--grant', 'network', '--no-start', 'router-tiny']

    test('a network of somebody else under the uplink’s name is left alone', async () => {
      await writeFile(at('net.xml'), "<network><name>vmpkg-uplink</name><bridge name='foreign0'/></network>")
      await site.virsh('net-define', at('net.xml'))
      await refused(install, 'NETWORK_EXISTS')
      await site.virsh('net-undefine', 'vmpkg-uplink')
    })

    test('the next instance is chosen where a foreign network is called uni0', async () => {
      await writeFile(at('net.xml'), "<network><name>uni0</name><bridge name='foreign0'/></network>")
      await site.virsh('net-define', at('net.xml'))
      const foreign = await site.virsh('net-dumpxml', 'uni0')
      await site.cli.ok(install)
      assert.deepEqual((await site.observe()).networks.toSorted(), ['uni0', 'uni1', 'vmpkg-uplink'])
      await site.cli.ok(['remove', '-y', 'router-tiny'])
      assert.equal(await site.virsh('net-dumpxml', 'uni0'), foreign)
      await site.virsh('net-undefine', 'uni0')
    })

    test('a machine of somebody else is never touched, whatever is asked', async () => {
      await writeFile(at('domain.xml'), FOREIGN.replace('NAME', 'router-tiny'))
      await site.virsh('define', at('domain.xml'))
      const foreign = await site.virsh('dumpxml', 'router-tiny')
      await refused(install, 'DOMAIN_EXISTS')
      for (const command of ['start', 'stop', 'console', 'logs', 'status']) {
        await refused([command, 'router-tiny'], 'DOMAIN_FOREIGN')
      }
      await refused(['rm', '-y', '--force', 'router-tiny'], 'DOMAIN_FOREIGN')
      assert.deepEqual((await site.cli.json(['ps', '--all']))['machines'], [])
      assert.equal(await site.virsh('dumpxml', 'router-tiny'), foreign)
      await site.virsh('undefine', 'router-tiny')
    })
  })

  describe('of machines that start', () => {
    test('a router that never becomes ready is given up after its time, and everything is undone', async () => {
      const { message, hint } = await refused(['install', '-y', '--grant', 'network', 'router-tiny'], 'GUEST_NOT_READY')
      assert.match(message, /router-tiny did not become ready.*2 s/)
      assert.ok(hint)
    })

    test('--timeout takes the place of the time that the package says, wherever a guest is waited for', async () => {
      const waits = ['--timeout', '1']
      const install = ['install', '-y', '--grant', 'network', 'router-tiny', 'app-tiny']
      const { message, hint } = await refused([...install, ...waits], 'GUEST_NOT_READY')
      assert.match(message, /within 1 s; the change was undone/)
      assert.match(hint ?? '', /--timeout/)

      await site.cli.ok([...install, '--no-start'])
      const start = await site.cli.run(['start', 'router-tiny', ...waits])
      assert.equal(start.status, 100)
      assert.match(start.stderr, /router-tiny did not become ready.*within 1 s.*\n.*vmpkg start router-tiny --timeout/)
      const clone = await refused(['clone', 'app-tiny', '--wait', ...waits], 'GUEST_NOT_READY')
      assert.match(clone.message, /app-tiny-1 did not become ready.*within 1 s; the clone was undone/)
      assert.match(clone.hint ?? '', /--timeout.*--wait/)
      await refused(['start', 'router-tiny', '--timeout', '0'], 'USAGE')

      await site.cli.ok(['clone', 'app-tiny', '--name', 'deaf'])
      const began = performance.now()
      await site.cli.ok(['stop', 'deaf', ...waits])
      assert.ok(performance.now() - began < 19_000, 'a guest without a system never shuts itself down')
      await site.cli.ok(['rm', 'deaf', '-y'])
      await site.cli.ok(['purge', '-y', 'app-tiny', 'router-tiny'])
    })

    test('what libvirt itself refuses is told in its words, and everything is undone', async () => {
      const xml = "<network><name>broken</name><forward mode='bridge'/><bridge name='nowhere0'/></network>"
      await writeFile(at('net.xml'), xml)
      await site.virsh('net-define', at('net.xml'))
      const install = ['install', '-y', '--grant', 'network', 'router-tiny', '--set', 'uplink=network:broken']
      await site.virsh('net-start', 'broken')
      const { message } = await refused(install, 'LIBVIRT_FAILED')
      assert.match(message, /nowhere0/)
      await site.virsh('net-destroy', 'broken')
      await site.virsh('net-undefine', 'broken')
    })
  })

  describe('of what is in use', () => {
    let installed: Observation
    beforeAll(async () => {
      await site.cli.ok(['install', '-y', 'app-alone'])
      await refused(['clone', 'app-alone'], 'NETWORK_UNAVAILABLE')
      await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app-tiny'])
      installed = await site.observe()
      assert.deepEqual(installed.domains, ['router-tiny'])
    })

    test('installing what is installed changes nothing and says so', async () => {
      assert.match(await site.cli.ok(['install', '-y', 'router-tiny']), /already installed/)
      assert.equal((await site.cli.json(['install', '-y', 'router-tiny']))['changed'], false)
      assert.deepEqual(await site.observe(), installed)
    })

    test('a package that another depends on takes that along, and the plan says so', async () => {
      const { packages, notes } = await site.cli.json(['remove', '--dry-run', 'router-tiny'])
      assert.deepEqual(
        (packages as { name: string }[]).map(({ name }) => name),
        ['app-tiny', 'router-tiny'],
      )
      assert.match(String(notes), /app-tiny depends on what goes/)
      assert.deepEqual(await site.observe(), installed)
    })

    test('a router whose LAN a machine is on stays, and so does the name of a clone', async () => {
      await site.cli.ok(['clone', 'app-alone', '--name', 'one', '--no-start'])
      const { message, hint } = await refused(['remove', '-y', 'router-tiny', 'app-tiny'], 'PACKAGE_IN_USE')
      assert.match(message, /^one still use/)
      assert.match(hint ?? '', /vmpkg rm one/)
      await refused(['clone', 'app-alone', '--name', 'one'], 'DOMAIN_EXISTS')
      await refused(['clone', 'app-alone', '--name', 'a/b'], 'NAME_INVALID')
      await refused(['clone', 'app-alone', '--net', 'uni7'], 'NETWORK_UNAVAILABLE')
      await refused(['clone', 'router-tiny'], 'USAGE')
      await refused(['install', '-y', '--grant', 'network', 'router-second', '--set', 'one:memory=64MiB'], 'USAGE')
    })

    test('what keeps a machine from starting is told before libvirt is asked, all of it at once', async () => {
      const files = (await site.virsh('domblklist', 'one')).match(/\/\S+/g) ?? []
      assert.ok(files.length > 0)
      for (const file of files) await rename(file, `${file}.away`)
      const { message, hint, details } = await refused(['start', 'one'], 'PREFLIGHT_FAILED')
      for (const file of files) await rename(`${file}.away`, file)
      assert.match(message, /^one would not start here/)
      assert.match(hint ?? '', /Put the file back/)
      const findings = details['findings'] as { class: string; reason: string }[]
      assert.deepEqual(
        findings.map((one) => [one.class, one.reason]),
        files.map((file) => ['disk-missing', `${file} does not exist`]),
      )
    })

    test('a stopped machine has neither console nor log, and a machine of a package is not removed as a clone', async () => {
      await refused(['console', 'one'], 'DOMAIN_STATE')
      await refused(['logs', 'one'], 'DOMAIN_STATE')
      await refused(['rm', '-y', 'router-tiny'], 'USAGE')
    })

    test('a running machine is removed by force only', async () => {
      await site.cli.ok(['start', 'one'])
      await refused(['rm', '-y', 'one'], 'DOMAIN_STATE')
      await site.virsh('suspend', 'one')
      await refused(['start', 'one'], 'DOMAIN_STATE')
      await site.cli.ok(['rm', '-y', '--force', 'one'])
      assert.deepEqual(await site.observe(), installed)
    })

    test('a clone under a router’s name keeps that router from being taken for installed', async () => {
      await site.cli.ok(['clone', 'app-alone', '--name', 'router-second', '--no-start'])
      await refused(['install', '-y', '--grant', 'network', 'router-second'], 'DOMAIN_EXISTS')
      await site.cli.ok(['rm', '-y', 'router-second'])
    })

    test('with two routers of a layer a clone must say which', async () => {
      await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-second'])
      const { hint } = await refused(['clone', 'app-alone', '--no-start'], 'NETWORK_UNAVAILABLE')
      assert.match(hint ?? '', /--net/)
      await site.cli.ok(['remove', '-y', 'router-second'])
    })

    test('the uplink goes with the last router on it, whichever made it', async () => {
      await site.cli.ok(['remove', '-y', 'app-tiny'])
      await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-second'])
      await site.cli.ok(['remove', '-y', 'router-tiny'])
      assert.deepEqual((await site.observe()).networks.toSorted(), ['uni1', 'vmpkg-uplink'])
      await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'app-tiny'])
      await site.cli.ok(['remove', '-y', 'router-second'])
      assert.deepEqual((await site.observe()).networks.toSorted(), installed.networks.toSorted())
    })

    test('installing again keeps what was granted and set before', async () => {
      await site.cli.ok(['install', '-y', '--no-start', '--reinstall', 'app-alone', '--set', 'memory=64MiB'])
      const before = await site.observe()
      assert.ok(before.parameters.includes(`app-alone memory=${64 * 1024 * 1024}`))
      assert.ok(before.installed.some((text) => /^router-tiny .*"network"/.test(text)))
      await site.cli.ok(['install', '-y', '--no-start', '--reinstall', 'router-tiny', 'app-alone'])
      assert.deepEqual(await site.observe(), before)
    })

    test('results are tab-separated when piped, and every JSON result carries its schema', async () => {
      assert.match(await site.cli.ok(['list', '--installed']), /^app-alone\t1\.0-1\tamd64\tapp\tinstalled\n/)
      assert.match(await site.cli.ok(['ps', '--all']), /^router-tiny\tshutoff\trouter-tiny 1\.0-1\tuni0\tkept\t-\n$/)
      const commands = {
        list: ['list'],
        search: ['search', 'tiny'],
        show: ['show', 'router-tiny'],
        ps: ['ps', '--all'],
        status: ['status'],
        verify: ['verify', '--full'],
        sources: ['source', 'list'],
        'private-hosts': ['host', 'private', 'status'],
        gc: ['gc', '--dry-run'],
        update: ['update'],
        plan: ['remove', '--dry-run', 'app-alone'],
        stop: ['stop', 'router-tiny'],
      }
      for (const [schema, args] of Object.entries(commands)) {
        assert.equal((await site.cli.json(args))['schema'], `vmpkg.${schema}/1`, args.join(' '))
        assert.doesNotMatch(await site.cli.ok(args), /[\u0000-\u0008\u000b-\u001f\u007f]/, args.join(' '))
      }
    })

    test('removing everything leaves nothing', async () => {
      const { schema, removed } = await site.cli.json(['remove', '-y', 'router-tiny', 'app-tiny', 'app-alone'])
      assert.deepEqual([schema, removed], ['vmpkg.remove/1', ['app-tiny', 'router-tiny', 'app-alone']])
      assert.deepEqual(await site.observe(), NOTHING)
      await site.cli.ok(['clean'])
      assert.deepEqual(await readdir(at('root', 'var', 'lib', 'vmpkg', 'packages')), [])
    })
  })

  test('a lock that stays held is given up after a minute, naming who holds it', async () => {
    const { status, error, waited } = await lockHeld
    assert.equal(status, 100)
    assert.equal(error.code, 'LOCK_HELD')
    const holder = `rocess ${lockHolder.pid} (vmpkg install router-uni)`
    assert.ok(error.message.includes(holder), error.message)
    assert.ok(waited.includes(holder), waited)
    assert.equal(error.details['pid'], lockHolder.pid)
  })
})
