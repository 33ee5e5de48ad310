/**
 * The verbs that change something, each in the situations that differ. A new verb is a line here.
 * Paths that begin with `%` are below the world's folder.
 */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readKey } from 'openpgp'
import { listKeys } from '../../src/publish/key.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { openSigner, type Signer } from '../../src/publish/signer.ts'
import { DAY_MS, fixedClock } from '../support/fixed-clock.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'
import { type Scenario, words } from './sweep.ts'
import type { World } from './world.ts'

export const PACKAGES = [tinyRouter('router-tiny'), tinyApp('app-alone')]

/** Runs commands one after the other. */
function having(...commands: readonly (readonly string[])[]): Scenario['before'] {
  return async (world) => {
    await cp(world.registry.folder, join(world.folder, 'registry'), { recursive: true })
    for (const command of commands) await world.cli.ok(words(command, world))
  }
}

const ADD = ['source', 'add', 'test', '%/registry', '--root-file', '%/registry/root/1.json']
const UPDATE = ['update']
const APP = ['install', '-y', '--grant', 'network', 'app-alone']
const ROUTER = ['install', '-y', '--grant', 'network', '--no-start', 'router-tiny']
const CLONE = ['clone', 'app-alone', '--name', 'one', '--no-start']

const KEYS = ['--keys', '%/keys']
const MAKE_KEYS = ['root', 'pub', 'prom', 'time'].map((name) => ['key', 'generate', name, '--no-passphrase', ...KEYS])
const ROLES = ['--root-key', 'root', '--publisher', 'pub=*', '--promoter', 'prom', '--timestamp', 'time', ...KEYS]
const INIT = ['repo', 'init', '%/registry-own', ...ROLES]

/** The registry sweeps away what is older than a day; `repo init` takes over what an earlier one left. */
const IN_REGISTRY = /^registry-own|^\*$/

/** A registry of one's own, and a built package. */
function owning(...commands: readonly (readonly string[])[]): Scenario['before'] {
  return async (world) => {
    for (const command of [...MAKE_KEYS, INIT]) await world.cli.ok(words(command, world))
    await cp(await world.registry.build(tinyApp('app-own')), join(world.folder, 'built'), { recursive: true })
    for (const command of commands) await world.cli.ok(words(command, world))
  }
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
  { name: 'key generate', verb: ['key', 'generate', 'me', '--no-passphrase'], before: having(), done: ['KEY_INVALID'] },
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
    name: 'rm',
    host: true,
    verb: ['rm', '-y', 'one'],
    before: having(ADD, UPDATE, ROUTER, APP, CLONE),
    done: ['DOMAIN_UNKNOWN'],
  },
]
