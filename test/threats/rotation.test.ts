/** Attacks on and accidents of a change of keys: root files that the envelope carries (docs/threats.md, M21, K08, K11, M05). */
import assert from 'node:assert/strict'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sha256 } from '../../src/model/digest.ts'
import type { Root } from '../../src/model/registry.ts'
import { formatRoot, formatSignedFile } from '../../src/model/registry-schema.ts'
import { search } from '../../src/operations/search.ts'
import { carryRoots } from '../../src/publish/carried-roots.ts'
import { pushRegistry } from '../../src/publish/push.ts'
import { mirrorRegistry } from '../../src/publish/registry-mirror.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { makeRoot, type RootSetup } from '../../src/publish/registry-root.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { signFile } from '../../src/publish/signer.ts'
import { folderTarget } from '../../src/publish/target-folder.ts'
import { lookAfterFiles } from '../support/look-after-files.ts'
import { testMirror } from '../support/mirror.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { type Refreshed, refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { makeTestHost, type TestHost } from '../support/test-host.ts'
import { testSigner } from '../support/test-keys.ts'
import { refused, threatCase } from '../support/threat-case.ts'

const VERSION = 'src/publish/registry-version.ts'
const ROOT_FIRST = {
  file: VERSION,
  find: '  await keepFormer(folder, state.envelopeFile)\n',
  replace: '  await keepFormer(folder, state.envelopeFile)\n  await placeRoots(folder, file)\n',
}
const NOT_CARRIED = {
  file: 'src/operations/refresh-source.ts',
  find: 'await walked.acceptCarriedRoots(file, (root) => memory.keepRoot(walked, root))',
  replace: '',
}

threatCase({
  id: 'M21',
  title: 'whoever reads while keys change finds the old registry or the new one, after every single file',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { read, versions } = await readers(registry, registry.folder)
    assert.ok((await lookAfterFiles(registry.folder, async () => replaceAllKeys(registry), read)) >= 5)
    assert.deepEqual(versions(), [2, 3])
  },
  controls: [ROOT_FIRST],
})

threatCase({
  id: 'M21',
  title: 'a mirror and a copy that are brought over two changes of keys are whole after every single file',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const folder = await makeTempFolder(t)
    const [mirrored, served] = [join(folder, 'mirror'), join(folder, 'served')]
    const target = folderTarget(served)
    const mirror = testMirror(pathToFileURL(`${registry.folder}/`))
    const file = await readFile(join(registry.folder, 'root/1.json'))
    const copy = async () => mirrorRegistry({ ...registry, mirror, folder: mirrored, first: { ...registry, file } })
    const push = async () => pushRegistry({ ...registry, target })
    await copy()
    await push()
    await replaceAllKeys(registry)
    await rotateRoot({ ...registry, ...(await nextKeys(registry)), promoters: [] })
    for (const [place, bring] of [
      [mirrored, copy],
      [served, push],
    ] as const) {
      const { read, versions } = await readers(registry, place)
      assert.ok((await lookAfterFiles(place, bring, read)) >= 4)
      assert.deepEqual(versions(), [2, 4])
      assert.equal((await refresh({ ...registry, folder: place, now: registry.clock.now() })).marks.root.version, 3)
      assert.equal((await bring()).changed, false)
    }
  },
  controls: [
    {
      file: 'src/publish/registry-mirror.ts',
      find: '    await placeAll(folder, first)\n',
      replace: '    await placeAll(folder, first)\n    await placeAll(folder, later)\n',
    },
    {
      file: 'src/publish/registry-mirror.ts',
      find: 'carryRoots(envelopeFile, later)',
      replace: 'withoutRoots(envelopeFile)',
    },
    {
      file: 'src/publish/push.ts',
      find: '...(await Promise.all(read))',
      replace: '...(await Promise.all(read)).slice(1)',
    },
    { file: 'src/publish/push.ts', find: 'files: first }', replace: 'files }' },
  ],
})

threatCase({
  id: 'M21',
  title:
    'a change of keys that was killed half way is whole for new and old readers, and the next publisher finishes it',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.update()
    const timestamping = await replaceAllKeys(registry)
    await rm(join(registry.folder, 'root/2.json'))
    await host.update()
    assert.deepEqual(await offered(host), ['app-one'])
    const late = await makeTestHost(t, registry.clock)
    await late.add('example', registry.folder)
    await late.update()
    await rm(join(late.root, 'var/cache'), { recursive: true })
    await late.update() // goes on from root file 2, which lies nowhere but in the envelope and in its own memory
    // Another version, which carries nothing: whoever comes from root file 1 needs root file 2 in its place.
    await resignRegistry(registry.folder, timestamping, { force: true })
    const { marks } = await refresh({ ...registry, now: registry.clock.now() })
    assert.deepEqual([marks.root.version, marks.envelope?.version], [2, 4])
  },
  controls: [
    NOT_CARRIED,
    [
      {
        file: VERSION,
        find: '  await placeRoots(folder, state.envelopeFile) // before the envelope that carries them is replaced\n',
        replace: '',
      },
      {
        file: 'src/publish/registry-resign.ts',
        find: '    await placeRoots(folder, state.envelopeFile)\n',
        replace: '',
      },
    ],
    {
      file: 'src/operations/source-memory.ts',
      find: 'formatTrustMarks(session.marks), root })',
      replace: 'formatTrustMarks(session.marks) })',
    },
  ],
})

threatCase({
  id: 'K08',
  title: 'a carried root file needs the signatures of the old keys and of the new ones, whoever signed the envelope',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { clock, rootSigners, setup } = registry
    const own = await Promise.all(['thief-a', 'thief-b'].map((name) => testSigner(name, clock)))
    const forged: RootSetup = { ...setup, root: { certificates: own.map((one) => one.certificate), threshold: 2 } }
    const host = await makeTestHost(t, clock)
    await host.add('example', registry.folder)
    await host.update()
    const good = await readEnvelope(registry)
    for (const [signers, code] of [
      [own, 'SIGNATURE_UNTRUSTED'],
      [[rootSigners[0], ...own], 'THRESHOLD_UNMET'],
      [[...rootSigners, own[0]], 'THRESHOLD_UNMET'],
      [rootSigners, 'SIGNATURE_UNTRUSTED'],
    ] as const) {
      // The thief has the key that signs envelopes: everything but the root file is in order.
      const root = makeRoot(forged, registry.firstEnvelope.registryId, 2, clock)
      const able = signers.flatMap((one) => one ?? [])
      const file = formatSignedFile(await signFile(able, 'root', 'root', formatRoot(root)))
      await writeEnvelope(registry, await envelopeUnder(registry, root, file))
      await refused(code, host.update)
    }
    await writeEnvelope(registry, good)
    await host.update()
  },
  controls: [
    {
      file: 'src/trust/root-chain.ts',
      find: '    role: root.root,\n    certificates: current.certificates,',
      replace: '    role: next.root.root,\n    certificates: next.certificates,',
    },
    { file: 'src/trust/roles.ts', find: 'signers.length >= role.threshold', replace: 'signers.length >= 1' },
  ],
})

threatCase({
  id: 'K11',
  title: 'what a revoked publisher signed counts no more once the envelope brings the root file that revokes him',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { clock, rootSigners } = registry
    const host = await makeTestHost(t, clock)
    await host.add('example', registry.folder)
    await host.update()
    const before = await readEnvelope(registry)
    const heir = await testSigner('heir', clock)
    const setup = { ...registry.setup, publishers: [{ certificates: [heir.certificate], patterns: ['*'] }] }
    const root = makeRoot(setup, registry.firstEnvelope.registryId, 2, clock)
    const file = formatSignedFile(await signFile(rootSigners, 'root', 'root', formatRoot(root)))
    // The same index, which the host has verified under the old root file, named by an envelope under the new one.
    await writeEnvelope(registry, await envelopeUnder(registry, root, file))
    await refused('SIGNATURE_UNTRUSTED', host.update)
    // And the envelope from before, with the root file or without.
    await writeEnvelope(registry, carryRoots(before, [{ version: 2, file }]))
    await refused('ENVELOPE_INVALID', host.update)
    await writeEnvelope(registry, before)
    await refused('ENVELOPE_INVALID', host.update)
    const fresh = await makeTestHost(t, clock)
    await fresh.add('example', registry.folder)
    await writeEnvelope(registry, carryRoots(before, [{ version: 2, file }]))
    await refused('ENVELOPE_INVALID', fresh.update)
    assert.deepEqual(await offered(fresh), [])
  },
  controls: [
    {
      file: 'src/operations/refresh-source.ts',
      find: 'before?.rootSha256 === walked.root.file.sha256',
      replace: 'walked !== undefined',
    },
    {
      file: 'src/operations/refresh-source.ts',
      find: '(root) => memory.keepRoot(walked, root)',
      replace: '() => undefined',
    },
    [
      { file: 'src/trust/envelope.ts', find: 'envelope.root.version !== root.version ||', replace: 'false &&' },
      { file: 'src/trust/envelope.ts', find: 'envelope.root.size !== file.size', replace: 'false' },
    ],
  ],
})

threatCase({
  id: 'M05',
  title: 'a carried root file that was seen holds although nothing else of that version could be read',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.update()
    const old = join(host.root, 'old')
    await cp(registry.folder, old, { recursive: true })
    await replaceAllKeys(registry)
    const { envelope } = await readRegistry(registry.folder)
    await rm(join(registry.folder, `channels/${envelope.channels.sha256}.json`))
    await rm(join(registry.folder, 'root/2.json'))
    await refused('DOWNLOAD_FAILED', host.update)
    await rm(registry.folder, { recursive: true })
    await cp(old, registry.folder, { recursive: true })
    // It is one of the old keys, which count no more.
    await refused('SIGNATURE_UNTRUSTED', host.update)
  },
  controls: [
    {
      file: 'src/operations/refresh-source.ts',
      find: '(root) => memory.keepRoot(walked, root)',
      replace: '() => undefined',
    },
  ],
})

/** Readers that know nothing, and one that has seen what is there now; each must find something whole, and none may go back. */
async function readers(registry: TestRegistry, folder: string) {
  const request = { ...registry, folder, now: registry.clock.now() }
  const { marks, rootFile } = await refresh(request)
  const seen = [marks.envelope?.version ?? 0]
  let newest: Pick<Refreshed, 'marks' | 'rootFile'> = { marks, rootFile }
  return {
    read: async () => {
      await refresh(request)
      await refresh({ ...request, marks })
      newest = await refresh({ ...request, ...newest })
      seen.push(newest.marks.envelope?.version ?? 0)
    },
    versions: () => [...new Set(seen)],
  }
}

async function nextKeys({ clock, setup }: TestRegistry) {
  const timestamp = await testSigner('timestamp-2', clock)
  const promoter = await testSigner('promoter-2', clock)
  const publisher = await testSigner('publisher-2', clock)
  return {
    setup: {
      ...setup,
      timestamp: { certificates: [timestamp.certificate] },
      promoter: { certificates: [promoter.certificate] },
      publishers: [{ certificates: [publisher.certificate], patterns: ['*'] }],
    },
    promoters: [promoter],
    publishers: [publisher],
    timestamping: { signers: [timestamp], clock, lifetimeDays: 14 },
  }
}

/** Timestamp, promoter and publisher: nothing that was signed before counts any more. */
async function replaceAllKeys(registry: TestRegistry) {
  const keys = await nextKeys(registry)
  await rotateRoot({ ...registry, ...keys })
  return keys.timestamping
}

/** The next version with the same lists under another root file, which it carries. */
async function envelopeUnder(registry: TestRegistry, root: Root, file: Uint8Array): Promise<Uint8Array> {
  const { envelope, envelopeDigest } = await readRegistry(registry.folder)
  const next = {
    ...envelope,
    version: envelope.version + 1,
    previous: { version: envelope.version, sha256: envelopeDigest },
    root: { version: root.version, sha256: sha256(file), size: file.length },
  }
  return carryRoots(await signEnvelope(next, registry.timestamping), [{ version: root.version, file }])
}

async function readEnvelope({ folder }: TestRegistry): Promise<Uint8Array> {
  return readFile(join(folder, 'envelope.json'))
}

async function writeEnvelope({ folder }: TestRegistry, bytes: Uint8Array): Promise<void> {
  await writeFile(join(folder, 'envelope.json'), bytes)
}

async function offered(host: TestHost): Promise<readonly string[]> {
  return host.run((workspace) => search(workspace, ['test', 'package']).map(({ name }) => name))
}
