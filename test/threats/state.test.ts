/** Faults of the local state (docs/threats.md, L): two commands at once, garbage that is in use, an undo without its past. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { openCatalogueDatabase } from '../../src/catalogue/schema.ts'
import type { PackageLine } from '../../src/model/line.ts'
import { clean } from '../../src/operations/clean.ts'
import { needsOf } from '../../src/operations/download.ts'
import { collectGarbage } from '../../src/operations/gc.ts'
import { holdObjects, packageHolder } from '../../src/operations/holders.ts'
import { planReversion } from '../../src/operations/revert.ts'
import { cloneHolder } from '../../src/operations/stop.ts'
import { NO_OPTIONS } from '../../src/operations/transition.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { openLease } from '../../src/state/downloads.ts'
import { historyHolder } from '../../src/state/history.ts'
import { acquireLock } from '../../src/state/lock.ts'
import { runChild } from '../support/child.ts'
import { installedOf, openLocalWorkspace, storeObjects, tinyLine } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { refused, threatCase } from '../support/threat-case.ts'

threatCase({
  id: 'L03',
  title: 'of two commands the second waits, names process and command of the first, and gives up with its own code',
  attack: async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    const child = runChild(t, 'state/children/hold-lock.ts', [path, '20000'])
    assert.equal(await child.line(), 'holding')
    const waited: (number | undefined)[] = []
    const options = {
      path,
      command: 'vmpkg upgrade',
      timeoutMs: 600,
      onWait: (one?: { pid: number }) => waited.push(one?.pid),
    }
    const error = await refused('LOCK_HELD', () => acquireLock(options))
    const { pid } = child.process
    assert.deepEqual(waited, [pid])
    assert.match(error.message, new RegExp(`Process ${pid} \\(vmpkg install router-uni\\)`))
  },
  controls: [
    { file: 'src/state/lock.ts', find: '!tryLock(database, path)', replace: 'false' },
    { file: 'src/state/lock.ts', find: 'writeHolder(path, { ...readOwnIdentity(), command })', replace: '' },
  ],
})

threatCase({
  id: 'L03',
  title: 'a command that plans without the lock still changes nothing beside another one',
  attack: async (t) => {
    const root = await makeTempFolder(t)
    const first = await openLocalWorkspace(t, { root })
    const second = await openLocalWorkspace(t, { root, write: 'late', waitSeconds: 0 })
    assert.throws(() => second.journal, TypeError)
    await refused('LOCK_HELD', () => second.lock())
    await first.close()
    await second.lock()
    assert.deepEqual(second.journal.pending(), [])
  },
  controls: [{ file: 'src/operations/workspace.ts', find: 'this.#lock = await acquireLock({', replace: 'await ({' }],
})

type Holder = 'package' | 'clone' | 'history' | 'download' | 'nobody'
const HOLDERS: readonly Holder[] = ['package', 'clone', 'history', 'download', 'nobody']

/** Lets that one need the version, as the operations do. */
async function hold(workspace: Workspace, holder: Holder, line: PackageLine, transaction: number): Promise<void> {
  if (holder === 'package') {
    workspace.installed.put(installedOf(line))
    workspace.imageReferences.hold(packageHolder(line.name), line.images)
  }
  if (holder === 'clone') workspace.imageReferences.hold(cloneHolder(line.name), line.images)
  if (holder === 'history') holdObjects(workspace, historyHolder(transaction), [line])
  if (holder === 'download') {
    const entry = { source: 'example', line, lineDigest: line.package.sha256, transport: { images: {} } }
    const candidate = { ...entry, channel: 'stable', phasedPercent: 100 }
    await openLease({ folder: workspace.paths.downloads, command: 'vmpkg install' }, needsOf([candidate]))
  }
}

/** Which of archive and image must outlive the removal. A clone needs its image only. */
function needs(holder: Holder, isClean: boolean): readonly [archive: boolean, image: boolean] {
  if (holder === 'package' || holder === 'download') return [true, true]
  if (holder === 'history') return [!isClean, !isClean]
  return [false, holder === 'clone']
}

/** A transaction in the history, recent enough to be kept. */
function recordTransaction({ journal, history, connectionPaths }: Workspace): number {
  const { key: connection } = connectionPaths
  const transaction = journal.begin({ connection, operation: 'upgrade', subject: 'x', command: 'vmpkg upgrade' })
  transaction.commit(() => {
    const line = tinyLine('x', '1.0')
    history.record(transaction.id, {
      packages: [{ name: 'x', before: installedOf(line), after: undefined }],
      definitions: [],
    })
  })
  return transaction.id
}

const use = fc.record({ holder: fc.constantFrom(...HOLDERS), other: fc.constantFrom(...HOLDERS) })

threatCase({
  id: 'L04',
  title: 'gc and clean remove nothing that an installed package, a clone, the history or an open download needs',
  attack: async (t: TestContext) => {
    await fc.assert(
      fc.asyncProperty(fc.array(use, { minLength: 1, maxLength: 5 }), fc.boolean(), async (uses, isClean) => {
        const cleanups: (() => unknown)[] = []
        const scope = { after: (run: unknown) => cleanups.push(run as () => unknown) } as unknown as TestContext
        try {
          const workspace = await openLocalWorkspace(scope)
          const transaction = recordTransaction(workspace)
          const stored: { paths: readonly string[]; kept: readonly [boolean, boolean] }[] = []
          // One holder a version, but for the entry of the history, which holds one list: the last one.
          const last = (holder: Holder): number =>
            uses.findLastIndex((one) => one.holder === holder || one.other === holder)
          for (const [i, { holder, other }] of uses.entries()) {
            const line = tinyLine(`p${i}`, '1.0')
            const paths = await storeObjects(workspace, line)
            for (const one of new Set([holder, other])) await hold(workspace, one, line, transaction)
            const counted = [holder, other].filter((one) => one !== 'history' || last(one) === i)
            const kept = counted.map((one) => needs(one, isClean))
            stored.push({ paths, kept: [kept.some(([archive]) => archive), kept.some(([, image]) => image)] })
          }
          if (isClean) await clean(workspace, { dryRun: false, all: false })
          else await collectGarbage(workspace, { dryRun: false })
          for (const { paths, kept } of stored)
            assert.deepEqual(
              paths.map((path) => existsSync(path)),
              kept,
            )
        } finally {
          for (const run of cleanups.toReversed()) await run()
        }
      }),
      { numRuns: 40, seed: Number(process.env['VMPKG_SEED'] ?? 4) },
    )
    t.diagnostic('40 sets of holders')
  },
  controls: [
    { file: 'src/operations/package-store.ts', find: '...archiveReferences.referenced(without)', replace: '' },
    { file: 'src/operations/package-store.ts', find: '...installed.archives(), ', replace: '' },
    { file: 'src/operations/gc.ts', find: '...held.images, ', replace: '' },
    { file: 'src/operations/gc.ts', find: ', ...leased.images', replace: '' },
    { file: 'src/operations/gc.ts', find: 'leased.archives, without', replace: 'new Set(), without' },
    { file: 'src/operations/holders.ts', find: '!kept.includes(holder)', replace: 'true' },
  ],
})

threatCase({
  id: 'L05',
  title: 'an undo whose old version is neither kept nor offered is refused before anything changes',
  attack: async (t) => {
    const workspace = await openLocalWorkspace(t)
    const [old, now] = [tinyLine('app', '1.0'), tinyLine('app', '1.1')]
    await storeObjects(workspace, now)
    mkdirSync(dirname(workspace.paths.catalogueDatabase), { recursive: true })
    openCatalogueDatabase(workspace.paths.catalogueDatabase).close() // no source offers anything any more
    const id = upgrade(workspace, old, now)
    const error = await refused('PACKAGE_UNKNOWN', () => planReversion(workspace, 'undo', id, NO_OPTIONS))
    assert.match(error.message, /app 1\.0 is neither kept here nor offered/)
    assert.equal(workspace.installed.get('app').line.version, '1.1')
    // Kept here, it needs no source: the plan gets as far as libvirt, which this workspace has not.
    await storeObjects(workspace, old)
    await refused('LIBVIRT_UNREACHABLE', () => planReversion(workspace, 'undo', id, NO_OPTIONS))
  },
  controls: [
    {
      file: 'src/operations/revert.ts',
      find: 'await requireObtainable(workspace, target.entry, findOffer(catalogue, line, source) !== undefined)',
      replace: '',
    },
    {
      file: 'src/operations/obtain.ts',
      find: 'isOffered || (await isHere(workspace, entry.line))',
      replace: 'isOffered',
    },
  ],
})

threatCase({
  id: 'L05',
  title: 'what the last five upgrades took out of use is kept, and older ones are not',
  attack: async (t) => {
    const workspace = await openLocalWorkspace(t)
    const versions = Array.from({ length: 8 }, (_, i) => tinyLine('app', `1.${i}`))
    const paths: (readonly string[])[] = []
    for (const [i, line] of versions.entries()) {
      paths.push(await storeObjects(workspace, line))
      const before = versions[i - 1]
      if (before !== undefined) upgrade(workspace, before, line)
    }
    await collectGarbage(workspace, { dryRun: false })
    const kept = paths.map((pair) => pair.every((path) => existsSync(path)))
    assert.deepEqual(kept, [false, false, true, true, true, true, true, true])
  },
  controls: [
    { file: 'src/operations/holders.ts', find: 'slice(-KEPT_TRANSACTIONS)', replace: 'slice(0, 0)' },
    {
      file: 'src/operations/holders.ts',
      find: 'if (!kept.includes(holder)) releaseObjects(workspace, holder)',
      replace: 'if (false) releaseObjects(workspace, holder)',
    },
  ],
})

/** As an upgrade leaves it. Returns the number of the transaction. */
function upgrade(workspace: Workspace, old: PackageLine, now: PackageLine): number {
  const { journal, installed, history, imageReferences, connectionPaths } = workspace
  const { key: connection } = connectionPaths
  const transaction = journal.begin({ connection, operation: 'upgrade', subject: old.name, command: 'vmpkg upgrade' })
  transaction.commit(() => {
    installed.put(installedOf(now))
    imageReferences.hold(packageHolder(now.name), now.images)
    const packages = [{ name: old.name, before: installedOf(old), after: installedOf(now) }]
    history.record(transaction.id, { packages, definitions: [] })
    holdObjects(workspace, historyHolder(transaction.id), [old])
  })
  return transaction.id
}
