/**
 * The verbs that change something, each in the situations that differ. A new verb is a line here.
 * Paths that begin with `%` are below the world's folder.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { readKey } from 'openpgp'
import { listKeys } from '../../src/publish/key.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { openSigner, type Signer } from '../../src/publish/signer.ts'
import { noise } from '../support/disk-image.ts'
import { DAY_MS, fixedClock } from '../support/fixed-clock.ts'
import { makeFilesystem } from '../support/guest-disk.ts'
import { type TestPackage, testImage } from '../support/registry-builder.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'
import { type Scenario, words } from './sweep.ts'
import type { World } from './world.ts'

const NEW_ROUTER = tinyRouter('router-tiny', { image: testImage('router-tiny 2') })

/** 512 KiB that do not compress, of which an edit changes some bytes here and there: its delta is a small part of it. */
function editedImage(edit: string): Uint8Array {
  const image = noise('edited', 512 * 1024)
  for (let at = 5000; at < image.length; at += 150_000) image.write(edit, at)
  return image
}

/** A small file system on the whole disk. */
function ext4With(path: string, text: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'vmpkg-faults-'))
  try {
    const file = join(folder, 'disk.raw')
    makeFilesystem('ext', file, { [path]: text }, { mebibytes: 2, options: ['-O', '^has_journal'] })
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** No network, so that it starts alone, and the channels of both agents: `told-guest.ts` says what its guest would. */
function toldApp(name: string): TestPackage {
  const { manifest = '', ...plain } = tinyApp(name, {
    manifest: 'guest: { files: guest/ }',
    devices: '{{> channel-agent agent="qemu"}}',
  })
  const files = { ...plain.files, 'guest/vmpkg.env.hbs': 'HOSTNAME={{identity.hostname}}\n' }
  return { ...plain, manifest: manifest.replace(/^capabilities:.*\n/m, ''), files }
}

/** Two versions of each; the second of the router has another definition. The last are mostly alike. */
export const PACKAGES = [
  { ...tinyRouter('router-tiny'), version: '1.0-1' },
  {
    ...NEW_ROUTER,
    manifest: NEW_ROUTER.manifest?.replace('default: 32MiB', 'default: 40MiB') ?? '',
    version: '2.0-1',
  },
  { ...tinyApp('app-alone'), version: '1.0-1' },
  { ...tinyApp('app-alone', { image: testImage('app-alone 2') }), version: '2.0-1' },
  toldApp('app-told'),
  { ...tinyApp('app-keep', { manifest: 'data: { home: { size: 16MiB, mount: /home } }' }), version: '1.0-1' },
  { name: 'app-edited', version: '1.0-1', images: { disk: editedImage('') } },
  { name: 'app-edited', version: '2.0-1', images: { disk: editedImage('an edit') } },
  { ...tinyApp('app-files', { image: ext4With('/notes', 'what was written') }), version: '1.0-1' },
  { name: 'app-alike', images: { disk: editedImage('of others') } },
]

/** Runs commands one after the other. */
function having(...commands: readonly (readonly string[])[]): Scenario['before'] {
  const begin = async (world: World): Promise<void> =>
    cp(world.registry.folder, join(world.folder, 'registry'), { recursive: true })
  return async (world) => runFrom(world, { what: 'registry', begin }, commands)
}

/** Goes on from the longest beginning that another scenario came to already, as far as that is files only. */
async function runFrom(
  world: World,
  { what, begin }: { readonly what: string; readonly begin: (world: World) => Promise<void> },
  commands: readonly (readonly string[])[],
): Promise<void> {
  const keys = [what, ...commands.map((_, i) => `${what} ${JSON.stringify(commands.slice(0, i + 1))}`)]
  const isFiles = (count: number): boolean =>
    !/"(router|clone|start|storage)/.test(JSON.stringify(commands.slice(0, count)))
  let done = commands.length
  while (done >= 0 && !(isFiles(done) && (await world.recall(keys[done] ?? '')))) done--
  if (done < 0) {
    await begin(world)
    await world.keep(what)
    done = 0
  }
  for (const [i, command] of commands.entries()) {
    if (i < done) continue
    await world.cli.ok(words(command, world))
    if (isFiles(i + 1)) await world.keep(keys[i + 1] ?? '')
  }
}

const ADD = ['source', 'add', 'test', '%/registry', '--root-file', '%/registry/root/1.json']
const UPDATE = ['update']
const APP = ['install', '-y', '--grant', 'network', 'app-alone']
const OLD_APP = [...APP.slice(0, -1), 'app-alone=1.0-1']
const OLD_EDITED = ['install', '-y', 'app-edited=1.0-1']
const ROUTER = ['install', '-y', '--grant', 'network', '--no-start', 'router-tiny']
const OLD_ROUTER = [...ROUTER.slice(0, -1), 'router-tiny=1.0-1']
const PIN = ['pin', 'set', 'app-none', '500']
const CLONE = ['clone', 'app-alone', '--name', 'one', '--no-start']

const SNAPSHOT = ['snapshot', 'create', 'one', 'first']
const BACKUP = ['backup', 'one', '--to', '%/backups']
const KEEPER = [
  ['install', '-y', '--grant', 'network', 'app-keep'],
  ['clone', 'app-keep', '--name', 'keeper', '--no-start'],
  ['rm', '-y', 'keeper'],
] as const
const LEAVES_PACKS = /^backups\/|^tmp\//
// Below a folder whose sync counts: that of the world itself does not.
const SPARE = ['storage', 'add', 'spare', '--path', '%/root/spare']
const VAULT = ['storage', 'add', 'vault', '--path', '%/root/vault', '--key-file', '%/key']

const TOLD_APP = ['install', '-y', 'app-told']
export const TOLD_GUEST = {
  NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${join(import.meta.dirname, 'told-guest.ts')}`,
}

/** Machines that run, files of theirs in `guest`, and files of the user's in `disks`. */
export function guests(...names: readonly string[]): Scenario['before'] {
  return async (world) => {
    await having(ADD, UPDATE, TOLD_APP, ...names.map((name) => ['clone', 'app-told', '--name', name]))(world)
    for (const folder of ['disks', 'guest/tree/deeper']) await mkdir(join(world.folder, folder), { recursive: true })
    const files = {
      'disks/notes': 'of the user',
      'guest/notes': 'of the guest',
      'guest/old': 'an old file of the guest',
    }
    const tree = { 'guest/tree/one': 'one', 'guest/tree/deeper/two': noise('two', 1_500_000) }
    for (const [path, content] of Object.entries({ ...files, ...tree }))
      await writeFile(join(world.folder, path), content)
    await symlink('deeper/two', join(world.folder, 'guest/tree/link'))
  }
}

/** Half a file in a guest goes with a copy a day later: test/domain/guest-tree.test.ts. */
const IN_GUEST = /^guest\/\*$/

/** With a key file for storages. */
function keyed(...commands: readonly (readonly string[])[]): Scenario['before'] {
  return async (world) => {
    await writeFile(join(world.folder, 'key'), 'a key for a test', { mode: 0o600 })
    return having(...commands)(world)
  }
}

const KEYS = ['--keys', '%/keys']
const MAKE_KEYS = ['root', 'pub', 'prom', 'time'].map((name) => ['key', 'generate', name, '--no-passphrase', ...KEYS])
const ROLES = ['--root-key', 'root', '--publisher', 'pub=*', '--promoter', 'prom', '--timestamp', 'time', ...KEYS]
const INIT = ['repo', 'init', '%/registry-own', ...ROLES]

/** The registry sweeps away what is older than a day; `repo init` takes over what an earlier one left. */
const IN_REGISTRY = /^registry-own|^\*$/
/** And what was read of a registry, into the system's folder for temporary files. */
const BESIDE_DRAFT = /^registry-own|^\*$|^tmp\//
/** As in other registries. */
const IN_LOCAL = /vmpkg\/local\/registry\//
/** What a copy that was broken off has fetched: the next one goes on there. What it read into the system's folder for temporary files. */
const IN_MIRROR = /^registry-|^tmp\//

/** A registry of one's own, and a built package. */
function owning(...commands: readonly (readonly string[])[]): Scenario['before'] {
  const begin = async (world: World): Promise<void> => {
    for (const command of [...MAKE_KEYS, INIT]) await world.cli.ok(words(command, world))
    await cp(await world.registry.build(tinyApp('app-own')), join(world.folder, 'built'), { recursive: true })
  }
  return async (world) => runFrom(world, { what: 'own registry', begin }, commands)
}

const LATER = ['key', 'generate', 'later', '--no-passphrase', ...KEYS]
const ROTATE_ROOT = ['repo', 'rotate-key', '%/registry-own', '--role', 'root', '--add', 'later', '--threshold', '2']
const ROTATE = ['repo', 'rotate-key', '%/registry-own', '--role', 'promoter', '--threshold', '1', ...KEYS]
const OWN = ['repo', 'add', '%/registry-own', '%/built', ...KEYS]

/** The number of the newest entry in the history. */
async function last({ cli }: World): Promise<readonly string[]> {
  const { entries } = await cli.json(['history'])
  return [String((entries as readonly { readonly id: number }[])[0]?.id)]
}

/** Changes a byte of every image in the store. */
async function damageImages({ folder }: World): Promise<void> {
  const images = join(folder, 'root/var/lib/vmpkg/images')
  for (const name of (await readdir(images)).filter((one) => /^[0-9a-f]{64}$/.test(one))) {
    const path = join(images, name)
    const bytes = await readFile(path)
    bytes[0] = (bytes[0] ?? 0) ^ 1
    await chmod(path, 0o644)
    await writeFile(path, bytes)
    await chmod(path, 0o444)
  }
}

/** A pool of which nothing waits: its guest would have to boot, which the app of these tests does not do. */
async function wishForPool({ folder }: World, name = 'app-alone', size = 2): Promise<void> {
  const state = new DatabaseSync(join(folder, 'root/var/lib/vmpkg/state.db'))
  try {
    const row = state.prepare('SELECT connection FROM installed').get()
    const add = state.prepare('INSERT INTO pools (connection, package, size, mode, net) VALUES (?, ?, ?, NULL, NULL)')
    add.run(row?.['connection'] ?? '', name, size)
  } finally {
    state.close()
  }
}

/** What a killed command left goes with the next that writes into the folder. */
const IN_DISKS = /^disks\/\*$/

/** Disks of the user's own: a raw one, and a qcow2 one with clusters that hold nothing. */
async function makeDisks({ folder }: World): Promise<void> {
  await mkdir(join(folder, 'disks'))
  await writeFile(
    join(folder, 'disks', 'disk.raw'),
    Buffer.concat([noise('disk', 300_000), Buffer.alloc(4 * 2 ** 20 - 300_000)]),
  )
  const disk = join(folder, 'disks', 'disk.qcow2')
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '4M'])
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -q -P 1 0 2M', '-c', 'write -q -P 0 0 1M', disk])
}

/** Changes the registry that was added, as its publisher does. */
async function publishMore(world: World): Promise<void> {
  await world.registry.add({ name: `app-more-${Date.now()}` })
  await cp(world.registry.folder, join(world.folder, 'registry'), { recursive: true, force: true })
}

/** A folder with the publisher's key only. */
async function splitKeys({ folder }: World): Promise<void> {
  const target = join(folder, 'keys-publisher')
  const certificates = (await readdir(join(folder, 'keys'))).filter((name) => !name.endsWith('.secret.asc'))
  for (const name of certificates) {
    const text = await readFile(join(folder, 'keys', name), 'utf8')
    if (!(await readKey({ armoredKey: text })).getUserIDs().includes('pub')) continue
    await mkdir(target, { mode: 0o700 })
    for (const one of [name, name.replace('.asc', '.secret.asc')])
      await cp(join(folder, 'keys', one), join(target, one))
  }
}

/** Signs the registry's envelope for a life that is more than half over. */
async function age({ folder }: World): Promise<void> {
  const clock = fixedClock(new Date(Date.now() - 10 * DAY_MS))
  const [registry, keys] = [join(folder, 'registry-own'), join(folder, 'keys')]
  for (const { fingerprint, userIds } of await listKeys(keys)) {
    if (!userIds.includes('time')) continue
    const signer = await openSigner({ folder: keys, fingerprint, clock: fixedClock(new Date()) })
    await rewriteEnvelope(registry, signer, clock.now())
  }
}

async function rewriteEnvelope(registry: string, signer: Signer, issuedAt: Date): Promise<void> {
  const { envelope } = await readRegistry(registry)
  const seconds = new Date(Math.floor(issuedAt.getTime() / 1000) * 1000)
  const old = { ...envelope, issuedAt: seconds, expiresAt: new Date(seconds.getTime() + 14 * DAY_MS) }
  const file = await signEnvelope(old, { signers: [signer], clock: fixedClock(new Date()) })
  await writeFile(join(registry, 'envelope.json'), file)
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'source add', verb: ADD, before: having(), done: ['SOURCE_EXISTS'] },
  { name: 'source remove', verb: ['source', 'remove', 'test'], before: having(ADD, UPDATE), done: ['SOURCE_UNKNOWN'] },
  { name: 'source set', verb: ['source', 'set', 'test', '--priority', '700'], before: having(ADD, UPDATE) },
  { name: 'update, the first', verb: UPDATE, before: having(ADD) },
  {
    name: 'update, changed',
    verb: UPDATE,
    before: async (world) => {
      await having(ADD, UPDATE)(world)
      await publishMore(world)
    },
  },
  {
    name: 'key generate',
    verb: ['key', 'generate', 'me', '--no-passphrase'],
    before: having(),
    done: ['KEY_INVALID'],
    known: [{ way: 'ENOSPC', kind: 'FileHandle.sync', path: /\/keys$/ }],
  },
  {
    name: 'repo init',
    verb: INIT,
    before: async (world) => {
      for (const command of MAKE_KEYS) await world.cli.ok(words(command, world))
    },
    done: ['REGISTRY_EXISTS'],
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo add',
    verb: ['repo', 'add', '%/registry-own', '%/built', ...KEYS],
    before: owning(),
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo add without the timestamp key',
    verb: ['repo', 'add', '%/registry-own', '%/built', '--keys', '%/keys-publisher'],
    before: async (world) => {
      await owning()(world)
      await splitKeys(world)
    },
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo merge',
    verb: ['repo', 'merge', '%/registry-own', ...KEYS],
    before: async (world) => {
      await owning()(world)
      await splitKeys(world)
      await world.cli.ok(words(['repo', 'add', '%/registry-own', '%/built', '--keys', '%/keys-publisher'], world))
    },
    next: ['repo', 'merge', '%/registry-own', ...KEYS],
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo resign',
    verb: ['repo', 'resign', '%/registry-own', ...KEYS],
    before: async (world) => {
      await owning()(world)
      await age(world)
    },
    leaves: IN_REGISTRY,
  },
  { name: 'publish', verb: ['publish', '%/registry-own', '%/built', ...KEYS], before: owning(), leaves: IN_REGISTRY },
  {
    name: 'repo promote',
    verb: ['repo', 'promote', '%/registry-own', 'app-own', '1.0-1', '--channel', 'testing', ...KEYS],
    before: owning(OWN),
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo yank',
    verb: ['repo', 'yank', '%/registry-own', 'app-own', '1.0-1', '--reason', 'broken', ...KEYS],
    before: owning(OWN),
    leaves: IN_REGISTRY,
  },
  { name: 'repo snapshot', verb: ['repo', 'snapshot', '%/registry-own'], before: owning(OWN), leaves: IN_REGISTRY },
  {
    name: 'repo snapshot remove',
    verb: ['repo', 'snapshot', 'remove', '%/registry-own'],
    before: async (world) => {
      await owning(OWN, ['repo', 'snapshot', '%/registry-own'])(world)
      const [name = ''] = await readdir(join(world.folder, 'registry-own/snapshot'))
      return [name.replace('.json', '')]
    },
    done: ['REGISTRY_INVALID'],
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo gc',
    verb: ['repo', 'gc', '%/registry-own', '--keep-days', '0', '--keep-hours', '0'],
    before: owning(OWN, ['repo', 'yank', '%/registry-own', 'app-own', '1.0-1', '--reason', 'broken', ...KEYS]),
    leaves: IN_REGISTRY,
    piecemeal: ['registryFiles'],
  },
  {
    name: 'repo rotate-key',
    verb: [
      'repo',
      'rotate-key',
      '%/registry-own',
      '--role',
      'timestamp',
      '--add',
      'later',
      '--threshold',
      '1',
      ...KEYS,
    ],
    before: owning(OWN, LATER),
    renews: true,
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo rotate-key, a draft',
    verb: [...ROTATE_ROOT, '--prepare', '%/root.draft', '--keys', '%/keys'],
    before: owning(OWN, LATER),
    leaves: BESIDE_DRAFT,
  },
  {
    name: 'repo sign-root',
    verb: ['repo', 'sign-root', '%/root.draft', '-y', ...KEYS],
    before: owning(OWN, LATER, [...ROTATE_ROOT, '--prepare', '%/root.draft', ...KEYS]),
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo rotate-key, a signed draft',
    verb: ['repo', 'rotate-key', '%/registry-own', '--finish', '%/root.draft', ...KEYS],
    before: owning(
      OWN,
      LATER,
      [...ROTATE_ROOT, '--prepare', '%/root.draft', ...KEYS],
      ['repo', 'sign-root', '%/root.draft', '-y', ...KEYS],
    ),
    done: ['REGISTRY_CHANGED'],
    leaves: IN_REGISTRY,
  },
  {
    name: 'repo mirror',
    verb: ['repo', 'mirror', '%/registry', '%/registry-mirror', '--root-file', '%/registry/root/1.json'],
    before: having(),
    leaves: IN_MIRROR,
  },
  {
    name: 'repo push',
    verb: ['repo', 'push', '%/registry-own', '%/registry-served'],
    before: owning(OWN),
    leaves: IN_MIRROR,
  },
  { name: 'pin set', verb: ['pin', 'set', 'app-alone=1.0-1', '1001', '--reason', 'why'], before: having(ADD, UPDATE) },
  {
    name: 'pin remove',
    verb: ['pin', 'remove', 'app-alone'],
    before: having(ADD, UPDATE, ['pin', 'set', 'app-alone', '900']),
    done: ['USAGE'],
  },
  { name: 'channel follow', verb: ['channel', 'follow', 'testing'], before: having(ADD, UPDATE) },
  {
    name: 'channel unfollow',
    verb: ['channel', 'unfollow', 'testing'],
    before: having(ADD, UPDATE, ['channel', 'follow', 'testing']),
    done: ['USAGE'],
  },
  {
    name: 'download',
    verb: ['download', 'app-alone'],
    before: having(ADD, UPDATE),
    next: UPDATE,
    leaves: /\*$/,
    piecemeal: ['stores', 'kept'],
  },
  {
    name: 'bundle import',
    verb: ['bundle', 'import', '%/tiny.vmbundle'],
    before: having(ADD, UPDATE, ['bundle', 'export', '%/tiny.vmbundle', 'app-alone'], ['clean']),
    next: UPDATE,
    leaves: /\*$/,
    piecemeal: ['stores', 'kept'],
  },
  {
    name: 'bundle import, a new source',
    verb: ['bundle', 'import', '%/tiny.vmbundle', '--source', 'test', '--root-file', '%/registry/root/1.json'],
    before: having(
      ADD,
      UPDATE,
      ['bundle', 'export', '%/tiny.vmbundle', 'app-alone'],
      ['source', 'remove', 'test'],
      ['clean'],
      PIN,
    ),
    next: PIN, // writes what is written already: gc would take away what came, and update needs the source
    leaves: /\*$/,
    first: ADD,
    piecemeal: ['catalogue', 'stores', 'kept'], // the source, then its lists as by an update, then what was fetched
  },
  {
    name: 'import, the first',
    verb: ['import', '%/disk.raw', '--name', 'mine', '--net', 'none'],
    leaves: IN_LOCAL,
    known: [{ way: 'after', kind: 'rename', path: /local\/registry$/ }],
    before: async (world) => {
      await having()(world)
      await writeFile(join(world.folder, 'disk.raw'), testImage('mine'))
    },
  },
  {
    name: 'import, another',
    verb: ['import', '%/disk.raw', '--name', 'mine', '--net', 'none'],
    leaves: IN_LOCAL,
    known: [{ way: 'after', kind: 'rename', path: /local\/registry\/envelope.json$/ }],
    before: async (world) => {
      await having()(world)
      await writeFile(join(world.folder, 'disk.raw'), testImage('mine'))
      await world.cli.ok(words(['import', '%/disk.raw', '--name', 'yours', '--net', 'none'], world))
    },
  },
  {
    name: 'import of a machines.conf',
    verb: ['import', '%/machines.conf', '--net', 'none'],
    leaves: IN_LOCAL,
    before: async (world) => {
      await having()(world)
      const image = testImage('hand')
      await writeFile(join(world.folder, 'hand.raw'), image)
      await writeFile(join(world.folder, 'machines.conf'), '[hand.raw]\ndescription=Put here by hand\n')
      await world.cli.ok(words(['import', '%/hand.raw', '--name', 'yours', '--net', 'none'], world))
    },
  },
  { name: 'upgrade an app', verb: ['upgrade', '-y'], before: having(ADD, UPDATE, OLD_APP) },
  { name: 'downgrade an app', verb: [...OLD_APP, '--allow-downgrade'], before: having(ADD, UPDATE, APP) },
  { name: 'hold', verb: ['hold', 'app-alone'], before: having(ADD, UPDATE, OLD_APP) },
  { name: 'unhold', verb: ['unhold', 'app-alone'], before: having(ADD, UPDATE, OLD_APP, ['hold', 'app-alone']) },
  { name: 'mark auto', verb: ['mark', 'auto', 'app-alone'], before: having(ADD, UPDATE, OLD_APP) },
  {
    name: 'autoremove',
    verb: ['autoremove', '-y'],
    before: having(ADD, UPDATE, OLD_APP, ['mark', 'auto', 'app-alone']),
  },
  {
    name: 'purge an app',
    verb: ['purge', '-y', 'app-alone'],
    before: having(ADD, UPDATE, [...OLD_APP, '--set', 'memory=48MiB']),
    done: ['PACKAGE_NOT_INSTALLED'],
  },
  {
    name: 'upgrade by a delta',
    verb: ['upgrade', '-y'],
    before: having(ADD, UPDATE, OLD_EDITED),
  },
  {
    name: 'download by chunks of another image',
    isLong: true,
    verb: ['download', 'app-alike'],
    before: having(ADD, UPDATE, OLD_EDITED),
    next: UPDATE,
    leaves: /\*$/,
    piecemeal: ['stores', 'kept'],
  },
  { name: 'quota', isLong: true, verb: ['quota', '1GiB'], before: having(ADD, UPDATE) },
  {
    name: 'image convert',
    verb: ['image', 'convert', '%/disks/disk.raw', '%/disks/new.qcow2'],
    before: makeDisks,
    leaves: IN_DISKS,
    done: ['USAGE'],
  },
  {
    name: 'image convert onto another',
    isLong: true,
    verb: ['image', 'convert', '--force', '%/disks/disk.raw', '%/disks/disk.qcow2'],
    before: makeDisks,
    leaves: IN_DISKS,
  },
  {
    name: 'image compact',
    verb: ['image', 'compact', '%/disks/disk.qcow2'],
    before: makeDisks,
    leaves: IN_DISKS,
  },
  { name: 'image resize', verb: ['image', 'resize', '%/disks/disk.raw', '8MiB'], before: makeDisks },
  { name: 'clean', verb: ['clean'], before: having(ADD, UPDATE, OLD_APP, ['upgrade', '-y']) },
  {
    name: 'history undo of an upgrade',
    verb: ['history', 'undo', '-y'],
    before: async (world) => {
      await having(ADD, UPDATE, OLD_APP, ['upgrade', '-y'])(world)
      return last(world)
    },
    done: ['HISTORY_CONFLICT'],
  },
  {
    name: 'history redo of an upgrade',
    verb: ['history', 'redo', '-y'],
    before: async (world) => {
      await having(ADD, UPDATE, OLD_APP, ['upgrade', '-y'])(world)
      const number = await last(world)
      await world.cli.ok(['history', 'undo', '-y', ...number])
      return number
    },
    done: ['HISTORY_CONFLICT'],
  },
  {
    name: 'history rollback',
    verb: ['history', 'rollback', '-y'],
    before: async (world) => {
      await having(ADD, UPDATE, OLD_APP)(world)
      const number = await last(world)
      await world.cli.ok(['upgrade', '-y'])
      return number
    },
  },
  {
    name: 'verify --fix of an image',
    verb: ['verify', '--full', '--fix'],
    piecemeal: ['damaged', 'stores'],
    leaves: /lib\/vmpkg\/images\/\*$/, // the image is needed: what has come of it is gone on with
    before: async (world) => {
      await having(ADD, UPDATE, APP)(world)
      await damageImages(world)
    },
  },
  { name: 'install an app', host: true, verb: APP, before: having(ADD, UPDATE) },
  { name: 'install a router', host: true, verb: ROUTER, before: having(ADD, UPDATE) },
  { name: 'install again', host: true, verb: [...APP, '--reinstall'], before: having(ADD, UPDATE, APP) },
  {
    name: 'remove',
    host: true,
    verb: ['remove', '-y', 'router-tiny', 'app-alone'],
    before: having(ADD, UPDATE, ROUTER, APP),
    done: ['PACKAGE_NOT_INSTALLED'],
  },
  { name: 'clone', host: true, verb: CLONE, before: having(ADD, UPDATE, ROUTER, APP), done: ['DOMAIN_EXISTS'] },
  {
    name: 'clone of two, encrypted',
    host: true,
    isLong: true,
    verb: ['clone', 'app-alone', '--name', 'one', '--count', '2', '--ephemeral', '--mode', 'encrypted'],
    before: having(ADD, UPDATE, ROUTER, APP),
    done: ['DOMAIN_EXISTS'],
  },
  {
    name: 'seal',
    host: true,
    verb: ['seal', 'one', '--name', 'sealed', '--pkg-version', '1.0'],
    leaves: IN_LOCAL,
    known: [{ way: 'after', kind: 'rename', path: /local\/registry$/ }],
    done: ['PACKAGE_EXISTS'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
  },
  {
    name: 'rm',
    host: true,
    verb: ['rm', '-y', 'one'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
    done: ['DOMAIN_UNKNOWN'],
  },
  {
    name: 'clone into a storage',
    host: true,
    isLong: true,
    verb: [...CLONE, '--storage', 'vault'],
    before: keyed(ADD, UPDATE, ROUTER, APP, VAULT),
    done: ['DOMAIN_EXISTS'],
  },
  {
    name: 'rename',
    host: true,
    verb: ['rename', 'one', 'two'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
    done: ['DOMAIN_UNKNOWN'],
  },
  {
    name: 'set memory',
    host: true,
    verb: ['set', 'memory', 'one', '64MiB'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
  },
  { name: 'upgrade a router', host: true, verb: ['upgrade', '-y'], before: having(ADD, UPDATE, OLD_ROUTER) },
  {
    name: 'upgrade a router that runs',
    host: true,
    verb: ['upgrade', '-y'],
    before: async (world) => {
      await having(ADD, UPDATE, OLD_ROUTER)(world)
      await world.virsh('start', 'router-tiny')
    },
  },
  {
    name: 'history undo of a removal',
    host: true,
    verb: ['history', 'undo', '-y', '--no-start'],
    before: async (world) => {
      await having(ADD, UPDATE, ROUTER, ['remove', '-y', 'router-tiny'])(world)
      return last(world)
    },
    done: ['HISTORY_CONFLICT'],
  },
  {
    name: 'purge',
    host: true,
    verb: ['purge', '-y', 'router-tiny'],
    before: having(ADD, UPDATE, [...ROUTER, '--set', 'memory=48MiB']),
    done: ['PACKAGE_NOT_INSTALLED'],
  },
  {
    name: 'verify --fix of a machine',
    host: true,
    verb: ['verify', '--fix'],
    before: async (world) => {
      await having(ADD, UPDATE, ROUTER)(world)
      await world.virsh('undefine', 'router-tiny', '--nvram')
      await world.cli.ok(['gc']) // its medium goes with it
    },
  },
  { name: 'start', host: true, verb: ['start', 'one'], before: having(ADD, UPDATE, ROUTER, APP, CLONE) },
  {
    name: 'stop',
    host: true,
    verb: ['stop', '--force', 'one'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, ['start', 'one']),
  },
  {
    name: 'stop a router',
    host: true,
    verb: ['stop', 'router-tiny'],
    known: [{ way: 'before', kind: 'rpc 234', path: /libvirt/ }],
    before: async (world) => {
      await having(ADD, UPDATE, ROUTER)(world)
      const file = join(world.folder, 'open.xml')
      const xml = await world.virsh('dumpxml', '--inactive', 'router-tiny')
      await writeFile(file, xml.replace("<link state='down'/>", "<link state='up'/>"))
      await world.virsh('define', file)
      await world.virsh('start', 'router-tiny')
    },
  },
  {
    name: 'repo mirror, other keys',
    verb: ['repo', 'mirror', '%/registry-own', '%/registry-mirror'],
    before: owning(
      ['repo', 'mirror', '%/registry-own', '%/registry-mirror', '--root-file', '%/registry-own/root/1.json'],
      LATER,
      ROTATE,
      ROTATE,
    ),
    leaves: IN_MIRROR,
  },
  {
    name: 'repo push, other keys',
    verb: ['repo', 'push', '%/registry-own', '%/registry-served'],
    before: owning(['repo', 'push', '%/registry-own', '%/registry-served'], LATER, ROTATE, ROTATE),
    leaves: IN_MIRROR,
  },
  {
    name: 'clone --from',
    host: true,
    isLong: true,
    verb: ['clone', '--from', 'one', '--name', 'two', '--no-start'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
    done: ['DOMAIN_EXISTS'],
  },
  {
    name: 'backup',
    host: true,
    isLong: true,
    verb: BACKUP,
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
    leaves: LEAVES_PACKS,
    renews: true,
  },
  {
    name: 'restore',
    host: true,
    isLong: true,
    verb: ['restore', '%/backups/one'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, BACKUP, ['rm', '-y', 'one']),
    leaves: LEAVES_PACKS,
    done: ['DOMAIN_EXISTS'],
  },
  {
    name: 'restore --force',
    host: true,
    isLong: true,
    verb: ['restore', '%/backups/one', '--force', '-y'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, BACKUP, ['set', 'memory', 'one', '64MiB']),
    leaves: LEAVES_PACKS,
    renews: true,
  },
  {
    name: 'snapshot create',
    host: true,
    isLong: true,
    verb: SNAPSHOT,
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
    done: ['SNAPSHOT_EXISTS'],
  },
  {
    name: 'snapshot revert',
    host: true,
    isLong: true,
    verb: ['snapshot', 'revert', '-y', 'one', 'first'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, SNAPSHOT, ['snapshot', 'create', 'one', 'second']),
    renews: true,
  },
  {
    name: 'snapshot delete',
    host: true,
    isLong: true,
    verb: ['snapshot', 'delete', '-y', 'one', 'first'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, SNAPSHOT, ['snapshot', 'create', 'one', 'second']),
    done: ['SNAPSHOT_UNKNOWN'],
  },
  {
    name: 'snapshot schedule set',
    host: true,
    isLong: true,
    verb: ['snapshot', 'schedule', 'set', 'one', '--every', '1h', '--keep', '3'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
  },
  {
    name: 'edit',
    host: true,
    isLong: true,
    verb: ['edit', 'one', '--from', '%/edited.xml'],
    before: async (world) => {
      await having(ADD, UPDATE, ROUTER, APP, CLONE)(world)
      const xml = await world.virsh('dumpxml', '--inactive', '--security-info', 'one')
      await writeFile(join(world.folder, 'edited.xml'), xml.replace(/<on_crash>[a-z]+</, '<on_crash>preserve<'))
    },
  },
  {
    name: 'data rm',
    host: true,
    isLong: true,
    verb: ['data', 'rm', '-y', 'keeper'],
    before: having(ADD, UPDATE, ROUTER, ...KEEPER),
    done: ['USAGE'],
  },
  {
    name: 'data attach',
    host: true,
    isLong: true,
    verb: ['data', 'attach', 'keeper/home', 'one'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, ...KEEPER),
    done: ['DOMAIN_STATE'],
  },
  {
    name: 'clone with a data disk',
    host: true,
    isLong: true,
    verb: ['clone', 'app-keep', '--name', 'new', '--no-start'],
    known: [{ way: 'power', kind: 'rm', path: /lock\.holder$/ }],
    before: having(ADD, UPDATE, ROUTER, ...KEEPER),
    done: ['DOMAIN_EXISTS'],
  },
  {
    name: 'run',
    host: true,
    isLong: true,
    verb: ['run', 'app-alone', '--name', 'one', '--viewer', 'none', '--no-pool'],
    before: having(ADD, UPDATE, ROUTER, APP),
    done: ['DOMAIN_EXISTS'],
  },
  {
    name: 'gc of a machine that virsh undefined',
    host: true,
    isLong: true,
    verb: ['gc'],
    before: async (world) => {
      await having(ADD, UPDATE, ROUTER, APP, CLONE)(world)
      await world.virsh('undefine', 'one')
    },
  },
  {
    name: 'snapshot prune',
    host: true,
    isLong: true,
    verb: ['snapshot', 'prune', '-y', 'one', '--keep', '1'],
    before: having(
      ADD,
      UPDATE,
      ROUTER,
      APP,
      CLONE,
      ['snapshot', 'create', 'one', 'auto-20260101T000000Z'],
      ['snapshot', 'create', 'one', 'auto-20260102T000000Z'],
    ),
  },
  {
    name: 'snapshot schedule remove',
    host: true,
    isLong: true,
    verb: ['snapshot', 'schedule', 'remove', 'one'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, [
      'snapshot',
      'schedule',
      'set',
      'one',
      '--every',
      '1h',
      '--keep',
      '3',
    ]),
  },
  {
    name: 'backup prune',
    host: true,
    isLong: true,
    verb: ['backup', 'prune', '-y', '%/backups', '--keep', '1'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, BACKUP, BACKUP),
    leaves: LEAVES_PACKS,
  },
  {
    name: 'file get',
    host: true,
    isLong: true,
    verb: ['file', 'get', 'files', '/notes', '--output', '%/disks/notes'],
    before: async (world) => {
      await having(
        ADD,
        UPDATE,
        ROUTER,
        [...APP.slice(0, -1), 'app-files'],
        ['clone', 'app-files', '--name', 'files', '--no-start'],
      )(world)
      await mkdir(join(world.folder, 'disks'))
    },
    leaves: IN_DISKS,
    done: ['USAGE'],
  },
  {
    name: 'set disk',
    host: true,
    isLong: true,
    verb: ['set', 'disk', 'one', '--iops', '500'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
  },
  {
    name: 'set autostart',
    host: true,
    isLong: true,
    verb: ['set', 'autostart', 'one', 'on'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
  },
  {
    name: 'data detach',
    host: true,
    isLong: true,
    verb: ['data', 'detach', 'keeper/home'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE, ...KEEPER, ['data', 'attach', 'keeper/home', 'one']),
    done: ['USAGE'],
  },
  {
    name: 'storage add, encrypted',
    host: true,
    verb: VAULT,
    known: [
      { way: 'after', kind: 'mkdir', path: /\/vault$/ },
      { way: 'power', kind: 'rename', path: /storage-vault\.luks$/ },
      { way: 'before', kind: 'rename', path: /storage\.json$/ },
    ],
    before: keyed(ADD, UPDATE),
    done: ['STORAGE_EXISTS'],
  },
  {
    name: 'storage default',
    host: true,
    isLong: true,
    verb: ['storage', 'default', 'spare'],
    before: having(ADD, UPDATE, SPARE),
  },
  {
    name: 'storage remove',
    host: true,
    isLong: true,
    verb: ['storage', 'remove', '-y', 'spare'],
    known: [{ way: 'after', kind: 'rm', path: /\.vmpkg-storage$/ }],
    before: having(ADD, UPDATE, SPARE),
    done: ['STORAGE_UNKNOWN'],
  },
  {
    name: 'pool drop',
    host: true,
    isLong: true,
    verb: ['pool', 'drop', 'app-alone'],
    before: async (world) => {
      await having(ADD, UPDATE, ROUTER, APP)(world)
      await wishForPool(world)
    },
    done: ['USAGE'],
  },
  {
    name: 'pool set',
    host: true,
    isLong: true,
    verb: ['pool', 'set', 'app-told', '1'],
    before: having(ADD, UPDATE, TOLD_APP),
    // How many are wanted stands first; whoever fills pools makes them so many.
    next: ['pool', 'fill'],
    env: TOLD_GUEST,
  },
  {
    name: 'pool fill',
    host: true,
    isLong: true,
    verb: ['pool', 'fill'],
    before: async (world) => {
      await having(ADD, UPDATE, TOLD_APP)(world)
      await wishForPool(world, 'app-told', 2)
    },
    piecemeal: ['domains'],
    env: TOLD_GUEST,
  },
  {
    name: 'cp out of a machine',
    host: true,
    verb: ['cp', 'one:%/guest/notes', '%/disks/notes'],
    before: guests('one'),
    leaves: IN_DISKS,
    tidies: true,
    env: TOLD_GUEST,
  },
  {
    name: 'cp of a folder out of a machine',
    host: true,
    isLong: true,
    verb: ['cp', '-r', 'one:%/guest/tree', '%/disks'],
    before: guests('one'),
    leaves: /^disks\//,
    piecemeal: ['disks'],
    tidies: true,
    env: TOLD_GUEST,
  },
  {
    name: 'cp into a machine',
    host: true,
    isLong: true,
    verb: ['cp', '%/disks/notes', 'one:%/guest/old'],
    before: guests('one'),
    leaves: IN_GUEST,
    env: TOLD_GUEST,
  },
  {
    name: 'cp from one machine to another',
    host: true,
    isLong: true,
    verb: ['cp', 'one:%/guest/notes', 'two:%/guest/old'],
    before: guests('one', 'two'),
    leaves: IN_GUEST,
    env: TOLD_GUEST,
  },
  {
    name: 'ssh, the first',
    host: true,
    isLong: true,
    verb: ['ssh', '--stdio', 'one'],
    before: guests('one'),
    known: [{ way: 'after', kind: 'mkdtemp', path: /\.new-/ }],
    piecemeal: ['ssh'],
    env: TOLD_GUEST,
  },
  {
    name: 'set disk, larger',
    host: true,
    isLong: true,
    verb: ['set', 'disk', 'one', '--size', '8MiB'],
    before: guests('one'),
  },
]
