/** Attacks on the metadata of a registry and by its mirrors (docs/threats.md, M01 to M09, M12, M13, M15, M19, M20). */
import assert from 'node:assert/strict'
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Catalogue } from '../../src/catalogue/catalogue.ts'
import { openCatalogueDatabase } from '../../src/catalogue/schema.ts'
import { canonicalJsonBytes } from '../../src/model/canonical-json.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { Envelope } from '../../src/model/registry.ts'
import { formatEnvelope, formatSignedFile, parseEnvelope, parseSignedFile } from '../../src/model/registry-schema.ts'
import { warnOfExpiry } from '../../src/operations/expiry-warning.ts'
import { requireFreshSources } from '../../src/operations/freshness.ts'
import { search } from '../../src/operations/search.ts'
import { addSource } from '../../src/operations/source-add.ts'
import { listEvidence } from '../../src/operations/source-evidence.ts'
import { removeSource } from '../../src/operations/source-remove.ts'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { publishVersion, signEnvelope } from '../../src/publish/registry-version.ts'
import { type Signer, signFile } from '../../src/publish/signer.ts'
import { DAY_MS, fixedClock, HOUR_MS } from '../support/fixed-clock.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTestHost, type TestHost } from '../support/test-host.ts'
import { testSigner } from '../support/test-keys.ts'
import { refused, threatCase } from '../support/threat-case.ts'

const NO_SIGNATURES_NEEDED = [
  {
    file: 'src/model/registry-schema.ts',
    find: '  .min(1)\n  .max(64)\n\nconst signedFile',
    replace: '\nconst signedFile',
  },
  {
    file: 'src/trust/roles.ts',
    find: 'if (ours.length === 0) throw untrusted(check)',
    replace: 'if (ours.length === 0) return []',
  },
]
const NO_VERSION_CHECK = {
  file: 'src/trust/envelope.ts',
  find: 'verifyNotOlder(envelope, payloadDigest, marks)',
  replace: '',
}

threatCase({
  id: 'M01',
  title: 'an envelope without a signature is refused',
  attack: async () => {
    await using registry = await buildRegistry()
    await writeEnvelopeFile(registry, unsigned(await readEnvelopeFile(registry)))
    await refused('ENVELOPE_INVALID', () => refresh({ ...registry, now: registry.clock.now() }))
  },
  controls: [NO_SIGNATURES_NEEDED],
})

threatCase({
  id: 'M01',
  title: 'a source without root keys cannot be added',
  attack: async (t) => {
    await using registry = await buildRegistry()
    const host = await makeTestHost(t, registry.clock)
    const request = { name: 'example', url: registry.folder, rootFile: undefined, fingerprints: [], expiry: undefined }
    await refused('USAGE', () => host.run((workspace) => addSource(workspace, request)))
    assert.deepEqual(await readdir(join(host.root, 'etc/vmpkg/sources')), [])
  },
  controls: [
    { file: 'src/operations/source-add.ts', find: 'path === undefined && fingerprints.length === 0', replace: 'false' },
  ],
})

threatCase({
  id: 'M02',
  title: 'an envelope by another key than that of the role is refused, and both fingerprints are named',
  attack: async () => {
    await using registry = await buildRegistry()
    const wrong = { ...registry.timestamping, signers: [registry.publisher] }
    await writeEnvelopeFile(registry, await signEnvelope(registry.firstEnvelope, wrong))
    const { message } = await refused('SIGNATURE_UNTRUSTED', () => refresh({ ...registry, now: registry.clock.now() }))
    assert.match(message, new RegExp(registry.publisher.fingerprint))
    assert.match(message, new RegExp(registry.timestamp.fingerprint))
  },
  controls: [{ file: 'src/trust/roles.ts', find: ' && role.keys.includes(one.fingerprint)', replace: '' }],
})

threatCase({
  id: 'M03',
  title: 'a registry that was signed and turns unsigned is refused, and its old list stays',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.update()
    await registry.add({ name: 'app-two' })
    await writeEnvelopeFile(registry, unsigned(await readEnvelopeFile(registry)))
    await refused('ENVELOPE_INVALID', host.update)
    assert.deepEqual(await offered(host), ['app-one'])
  },
  controls: [NO_SIGNATURES_NEEDED],
})

threatCase({
  id: 'M04',
  title: 'a frozen registry is refused by update and install once it expires; reading goes on with a warning',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder, { expiry: 'grace 3 days' })
    await host.update()
    registry.clock.advance(15 * DAY_MS)
    await host.update()
    await host.run((workspace) => requireFreshSources(workspace, ['example']))
    assert.match(host.warnings.map(({ message }) => message).join(), /grace period/)
    registry.clock.advance(3 * DAY_MS)
    await refused('ENVELOPE_EXPIRED', host.update)
    await refused('ENVELOPE_EXPIRED', () => host.run((workspace) => requireFreshSources(workspace, ['example'])))
    host.warnings.length = 0
    await host.run(warnOfExpiry)
    assert.equal(host.warnings.length, 1)
    assert.deepEqual(await offered(host), ['app-one'])
  },
  controls: [
    { file: 'src/trust/freshness.ts', find: 'now.getTime() < expiresAt.getTime() + graceMs', replace: 'graceMs >= 0' },
    {
      file: 'src/operations/freshness.ts',
      find: '  if (stale === undefined) return\n',
      replace: '  if (stale !== null) return\n',
    },
    {
      file: 'src/operations/freshness.ts',
      find: "now < endMs + (expiry.kind === 'grace' ? expiry.graceMs : 0)",
      replace: 'true',
    },
  ],
})

threatCase({
  id: 'M05',
  title: 'an older valid envelope is refused once a newer one was seen',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const now = registry.clock.now()
    const old = await readEnvelopeFile(registry)
    await registry.add({ name: 'app-two' })
    const { marks } = await refresh({ ...registry, now })
    await writeEnvelopeFile(registry, old)
    await refused('ENVELOPE_ROLLED_BACK', () => refresh({ ...registry, now, marks }))
  },
  controls: [NO_VERSION_CHECK],
})

threatCase({
  id: 'M05',
  title: 'an older envelope is refused after the cache was deleted and the source removed and added again',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    const old = await readEnvelopeFile(registry)
    await registry.add({ name: 'app-two' })
    await host.update()
    await writeEnvelopeFile(registry, old)
    await rm(join(host.root, 'var/cache'), { recursive: true })
    await refused('ENVELOPE_ROLLED_BACK', host.update)
    await host.run((workspace) => removeSource(workspace, 'example'))
    await host.add('another-name', registry.folder)
    await refused('ENVELOPE_ROLLED_BACK', host.update)
  },
  controls: [
    NO_VERSION_CHECK,
    {
      file: 'src/operations/source-tidy.ts',
      find: 'marks.retire(name)',
      replace: 'for (const one of marks.listPresent()) if (one.source === name) marks.forget(one.registryId)',
    },
    { file: 'src/trust/session.ts', find: '      ...earlier,\n', replace: '' },
  ],
})

threatCase({
  id: 'M05',
  title: 'a root file older than was seen is refused after the source was removed and added again',
  attack: async (t) => {
    await using registry = await buildRegistry()
    const host = await makeTestHost(t, registry.clock)
    const replacement = await testSigner('timestamp-2', registry.clock)
    const before = join(host.root, 'before')
    await cp(registry.folder, before, { recursive: true })
    await rotateRoot({
      ...registry,
      setup: { ...registry.setup, timestamp: { certificates: [replacement.certificate] } },
      promoters: [registry.promoter],
      timestamping: { ...registry.timestamping, signers: [replacement] },
    })
    await host.add('example', registry.folder)
    await host.update()
    await host.run((workspace) => removeSource(workspace, 'example'))
    await host.add('mirror', before)
    const { message } = await refused('ENVELOPE_ROLLED_BACK', host.update)
    assert.match(message, /root file/)
  },
  controls: [
    [{ file: 'src/trust/session.ts', find: 'if (!this.isCaughtUp)', replace: 'if (false)' }, NO_VERSION_CHECK],
  ],
})

threatCase({
  id: 'M06',
  title: 'a wiped state does not help against the lowest version that the source carries',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    const old = await readEnvelopeFile(registry)
    await registry.add({ name: 'app-two' })
    await host.add('example', registry.folder, { minimumVersion: 3 })
    await host.update()
    await rm(join(host.root, 'var'), { recursive: true })
    await writeEnvelopeFile(registry, old)
    await refused('ENVELOPE_ROLLED_BACK', host.update)
    assert.deepEqual(await offered(host), [])
  },
  controls: [
    { file: 'src/trust/session.ts', find: 'envelope.version < this.#minimumVersion', replace: 'false' },
    { file: 'src/operations/refresh-source.ts', find: '? {} : { minimumVersion })', replace: '? {} : {})' },
  ],
})

threatCase({
  id: 'M07',
  title: 'a version above 2^53 - 1, a fraction and a text are refused',
  attack: async () => {
    await using registry = await buildRegistry()
    const { timestamp, firstEnvelope } = registry
    const text = Buffer.from(
      formatEnvelope({ ...firstEnvelope, version: 7, previous: { version: 6, sha256: sha256('') } }),
    )
    for (const [version, previous] of [
      ['9007199254740992', '9007199254740991'],
      ['1.5', '0.5'],
      ['"7"', '6'],
      ['1e3', '999'],
    ]) {
      const payload = Buffer.from(
        text
          .toString()
          .replace('"version":7}', `"version":${version}}`)
          .replace('"version":6}', `"version":${previous}}`),
      )
      await writeEnvelopeFile(registry, await signPayload(timestamp, payload))
      await refused('ENVELOPE_INVALID', () => refresh({ ...registry, now: registry.clock.now() }))
    }
  },
  controls: [
    [
      {
        file: 'src/model/canonical-json.ts',
        find: 'if (!Number.isSafeInteger(value) || Object.is(value, -0))',
        replace: 'if (false)',
      },
      { file: 'src/model/shape.ts', find: 'z.int().min(0).max(Number.MAX_SAFE_INTEGER)', replace: 'z.number()' },
      {
        file: 'src/model/registry-schema.ts',
        find: '(one.previous?.version ?? 0) === one.version - 1',
        replace: 'true',
      },
    ],
  ],
})

threatCase({
  id: 'M07',
  title: 'a counter that a stolen key drove to its end begins anew with the next key',
  attack: async () => {
    await using registry = await buildRegistry()
    const now = registry.clock.now()
    const first = await refresh({ ...registry, now })
    const farAhead = { ...first.marks, envelope: { version: 2 ** 53 - 1, sha256: sha256('x'), issuedAt: now } }
    await refused('ENVELOPE_ROLLED_BACK', () => refresh({ ...registry, now, marks: farAhead }))
    const replacement = await testSigner('timestamp-2', registry.clock)
    await rotateRoot({
      ...registry,
      setup: { ...registry.setup, timestamp: { certificates: [replacement.certificate] } },
      promoters: [registry.promoter],
      timestamping: { ...registry.timestamping, signers: [replacement] },
    })
    assert.equal((await refresh({ ...registry, now, marks: farAhead })).marks.envelope?.version, 2)
  },
  controls: [{ file: 'src/trust/session.ts', find: "isDropped('timestamp')", replace: 'false' }, NO_VERSION_CHECK],
})

threatCase({
  id: 'M08',
  title: 'channels of one version with the index of another are refused',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const now = registry.clock.now()
    const before = (await refresh({ ...registry, now })).envelope
    const after = await withdraw(registry, 'app-one')
    const path = (envelope: Envelope) => join(registry.folder, `channels/${envelope.channels.sha256}.json`)
    await writeFile(path(after), await readFile(path(before)))
    await refused('DIGEST_MISMATCH', () => refresh({ ...registry, now }))
  },
  controls: [
    [
      {
        file: 'src/trust/content.ts',
        find: 'actual.size === expected.size && actual.sha256 === expected.sha256',
        replace: 'true',
      },
      { file: 'src/trust/channels.ts', find: ' || channels.version !== envelope.channels.version', replace: '' },
    ],
  ],
})

threatCase({
  id: 'M08',
  title: 'an update is taken whole or not at all',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.update()
    await registry.add({ name: 'app-two' })
    const { channels } = await withdraw(registry, 'app-one')
    const path = join(registry.folder, `channels/${channels.sha256}.json`)
    const good = await readFile(path)
    await writeFile(path, flip(good, good.length - 1))
    await refused('DIGEST_MISMATCH', host.update)
    assert.deepEqual(await offered(host), ['app-one'])
    await writeFile(path, good)
    await host.update()
    assert.deepEqual(await offered(host), ['app-two'])
  },
  controls: [
    [
      {
        file: 'src/fetch/small-file.ts',
        find: 'if (sha256(bytes) === expected.sha256)',
        replace: 'if (bytes.length > 0)',
      },
      {
        file: 'src/trust/content.ts',
        find: 'actual.size === expected.size && actual.sha256 === expected.sha256',
        replace: 'true',
      },
    ],
  ],
})

threatCase({
  id: 'M09',
  title: 'another envelope under a version that was seen is refused, and both files are kept',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.update()
    const first = await readEnvelopeFile(registry)
    const { envelope } = await readRegistry(registry.folder)
    const second = await signEnvelope({ ...envelope, message: 'another' }, registry.timestamping)
    await writeEnvelopeFile(registry, second)
    await refused('ENVELOPE_EQUIVOCATED', host.update)
    await refused('ENVELOPE_EQUIVOCATED', host.update)
    const evidence = await host.run((workspace) => listEvidence(workspace, 'example', 'evidence'))
    assert.deepEqual(
      evidence.map((one) => one.sha256),
      [sha256(first), sha256(second)],
    )
    assert.deepEqual(await readFile(evidence[1]?.path ?? ''), Buffer.from(second))
  },
  controls: [
    {
      file: 'src/trust/envelope.ts',
      find: 'envelope.version === seen.version && payloadDigest !== seen.sha256',
      replace: 'false',
    },
    {
      file: 'src/operations/refresh-source.ts',
      find: 'memory.keepEvidence(error.message, file)',
      replace: 'undefined',
    },
    { file: 'src/operations/source-memory.ts', find: "{ 'envelope-seen-before.json': before }", replace: '{}' },
  ],
})

threatCase({
  id: 'M12',
  title: 'a version that vanishes without having been withdrawn is named, a withdrawn one is not',
  attack: async (t) => {
    await using registry = await buildRegistry({
      packages: [{ name: 'app-one' }, { name: 'app-two' }, { name: 'app-three' }],
    })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await withdraw(registry, 'app-two')
    await host.update()
    const state = await readRegistry(registry.folder)
    const entries = state.entries.filter(({ line }) => Buffer.from(line).includes('app-three'))
    await publishVersion(state, { entries }, registry.timestamping)
    await host.update()
    assert.deepEqual(
      host.warnings.map(({ message }) => message),
      ['app-one 1.0-1 has vanished from example without having been withdrawn'],
    )
  },
  controls: [
    {
      file: 'src/catalogue/write.ts',
      find: 'this.#vanished.push({ name, version: row.version })',
      replace: '',
    },
    {
      file: 'src/catalogue/write.ts',
      find: 'if (row.isYanked || isStill',
      replace: 'if (isStill',
    },
  ],
})

threatCase({
  id: 'M13',
  title: 'a clock before the newest time that any registry has signed is refused',
  attack: async (t) => {
    await using slow = await buildRegistry({ lifetimeDays: 365 })
    const clock = fixedClock('2026-06-20T00:00:00Z')
    await using other = await buildRegistry({ clock, lifetimeDays: 365 })
    const host = await makeTestHost(t, clock)
    await host.add('other', other.folder)
    await host.update()
    await host.add('slow', slow.folder)
    await host.run((workspace) => removeSource(workspace, 'other'))
    clock.set('2026-06-10T00:00:00Z')
    await refused('CLOCK_WRONG', host.update)
    clock.set('2026-06-19T23:55:00Z')
    await host.update()
  },
  controls: [
    {
      file: 'src/trust/session.ts',
      find: 'options.newestSeen]) verifyClockNotBehind(now, seen)',
      replace: 'options.newestSeen]) void seen',
    },
    { file: 'src/operations/source-memory.ts', find: 'this.#store.noteTime(issuedAt)', replace: 'void 0' },
  ],
})

threatCase({
  id: 'M13',
  title: 'an envelope from the future is refused',
  attack: async () => {
    await using registry = await buildRegistry()
    const issuedAt = new Date(registry.clock.now().getTime() + HOUR_MS)
    await writeEnvelopeFile(
      registry,
      await signEnvelope({ ...registry.firstEnvelope, issuedAt }, registry.timestamping),
    )
    await refused('CLOCK_WRONG', () => refresh({ ...registry, now: registry.clock.now() }))
  },
  controls: [{ file: 'src/trust/envelope.ts', find: 'verifyNotFromFuture(envelope.issuedAt, now)', replace: '' }],
})

/** Of payload and signatures, without what the file carries. */
const NO_ENVELOPE_LIMIT = {
  file: 'src/model/registry-schema.ts',
  find: 'formatSignedFile(signed).length > FILE_LIMITS.envelope',
  replace: 'false',
}
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
for (const [what, member, control] of [
  [
    'too many bytes',
    `"x-a":"${'a'.repeat(5000)}"`,
    { find: 'if (bytes.length > limits.maxBytes)', replace: 'if (false)' },
  ],
  ['too many levels', `"x-a":${nested(64)}`, { find: 'if (depth > MAX_DEPTH)', replace: 'if (false)' }],
  ['a doubled member', '"x-a":1,"x-a":2', { find: 'if (formatCanonicalJson(value) !== text)', replace: 'if (false)' }],
  [
    'a member named __proto__',
    '"x-a":{"__proto__":{"a":1}}',
    { find: "if (key === '__proto__')", replace: 'if (false)' },
  ],
  ['a lone surrogate', '"x-a":"\\ud800"', { find: 'if (!value.isWellFormed())', replace: 'if (false)' }],
  ['whitespace', ' "x-a":1', { find: 'if (formatCanonicalJson(value) !== text)', replace: 'if (false)' }],
  [
    'a number with an exponent',
    '"x-a":1e3',
    { find: 'if (formatCanonicalJson(value) !== text)', replace: 'if (false)' },
  ],
] as const) {
  threatCase({
    id: 'M15',
    title: `an envelope with ${what} is refused though it is signed`,
    attack: async () => {
      await using registry = await buildRegistry()
      const text = Buffer.from(formatEnvelope(registry.firstEnvelope)).toString()
      const payload = Buffer.from(text.replace(/}$/, `,${member}}`))
      await writeEnvelopeFile(registry, await signPayload(registry.timestamp, payload))
      await refused('ENVELOPE_INVALID', () => refresh({ ...registry, now: registry.clock.now() }))
    },
    controls: [
      [{ file: 'src/model/canonical-json.ts', ...control }, ...(what === 'too many bytes' ? [NO_ENVELOPE_LIMIT] : [])],
    ],
  })
}

threatCase({
  id: 'M15',
  title: 'what is no JSON, too long or too deep is refused before anything else, in bounded time',
  attack: async () => {
    await using registry = await buildRegistry()
    for (const text of ['', '{', 'NaN', 'null', '[]', nested(1_000_000), `"${'a'.repeat(100_000_000)}"`, '\ufeff{}']) {
      await writeEnvelopeFile(registry, Buffer.from(text))
      await refused('ENVELOPE_INVALID', () => refresh({ ...registry, now: registry.clock.now() }))
    }
    const objects = parseEnvelope(formatEnvelope(registry.firstEnvelope))
    assert.equal(Object.hasOwn(objects, '__proto__'), false)
  },
  controls: [
    {
      file: 'src/model/canonical-json.ts',
      find: "throw refuse(limits, 'is not canonical JSON', error)",
      replace: 'throw error',
    },
  ],
})

threatCase({
  id: 'M19',
  title: 'an address that leads to another registry needs the word of the user',
  attack: async (t) => {
    await using registry = await buildRegistry()
    await using other = await buildRegistry()
    const host = await makeTestHost(t, registry.clock)
    const place = join(host.root, 'place')
    await cp(registry.folder, place, { recursive: true })
    await host.add('example', place)
    await host.update()
    await rename(place, `${place}-before`)
    await cp(other.folder, place, { recursive: true })
    await refused('SOURCE_CHANGED', host.update)
    const { message } = await refused('CONFIRMATION_NEEDED', () => host.add('another', place))
    assert.match(message, new RegExp(registry.firstEnvelope.registryId))
    assert.match(message, new RegExp(other.firstEnvelope.registryId))
    await host.run((workspace) => removeSource(workspace, 'example'))
    await refused('CONFIRMATION_NEEDED', () => host.add('another', place))
    await refused('CONFIRMATION_NEEDED', () => host.add('example', other.folder))
  },
  controls: [
    { file: 'src/operations/source-add.ts', find: 'if (plan.change === undefined) return', replace: 'return' },
    { file: 'src/operations/source-add.ts', find: '[...present, ...seen]', replace: '[...present]' },
  ],
})

threatCase({
  id: 'M19',
  title: 'a registry that borrows the id of another is refused',
  attack: async (t) => {
    await using registry = await buildRegistry()
    await using impostor = await buildRegistry()
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.update()
    await host.run((workspace) => removeSource(workspace, 'example'))
    const { registryId } = registry.firstEnvelope
    await host.run((workspace) => {
      // what an impostor with that id would leave in its source file
      workspace.trust
        .prepare('UPDATE seen SET registry_id = ?, marks = replace(marks, ?, ?)')
        .run(impostor.firstEnvelope.registryId, registryId, impostor.firstEnvelope.registryId)
    })
    await host.add('other', impostor.folder)
    await refused('SOURCE_CHANGED', host.update)
  },
  controls: [{ file: 'src/trust/session.ts', find: '    this.#refuseFork(root)\n', replace: '' }],
})

threatCase({
  id: 'M20',
  title: 'a name keeps to the source it came from, else to the higher priority, else to the first',
  attack: async (t) => {
    const clock = fixedClock()
    await using first = await buildRegistry({ clock, packages: [{ name: 'tool', version: '1.0-1' }] })
    await using second = await buildRegistry({ clock, packages: [{ name: 'tool', version: '9.0-1' }] })
    for (const order of [[first, second] as const, [second, first] as const]) {
      const host = await makeTestHost(t, clock)
      await host.add('b-source', order[0].folder)
      clock.advance(1000)
      await host.add('a-source', order[1].folder)
      await host.update()
      await withCatalogue(host, (catalogue) => {
        assert.equal(catalogue.candidate('tool')?.source, 'b-source')
        assert.equal(catalogue.candidate('tool', { installedFrom: 'a-source' })?.source, 'a-source')
        assert.equal(catalogue.candidate('tool', { installedFrom: 'b-source' })?.source, 'b-source')
        assert.equal(catalogue.summaries(new Map([['tool', 'a-source']]))[0]?.source, 'a-source')
        catalogue.setPriority('a-source', 600)
        assert.equal(catalogue.candidate('tool')?.source, 'a-source')
        assert.equal(catalogue.candidate('tool', { installedFrom: 'b-source' })?.source, 'b-source')
      })
    }
  },
  controls: [
    {
      file: 'src/catalogue/policy.ts',
      find: 'return isInvited ? one : { ...one, refusal: fromElsewhere(one.offer, home) }',
      replace: 'return one',
    },
    {
      file: 'src/catalogue/policy.ts',
      find: 'if (installedFrom !== undefined && sources.has(installedFrom)) return installedFrom',
      replace: '',
    },
  ],
})

async function readEnvelopeFile({ folder }: TestRegistry): Promise<Uint8Array> {
  return readFile(join(folder, 'envelope.json'))
}

async function writeEnvelopeFile({ folder }: TestRegistry, bytes: Uint8Array): Promise<void> {
  await writeFile(join(folder, 'envelope.json'), bytes)
}

function unsigned(file: Uint8Array): Uint8Array {
  const { payload } = parseSignedFile(file, 'ENVELOPE_INVALID', 'The envelope', 4096)
  return canonicalJsonBytes({ payload: Buffer.from(payload).toString('base64'), signatures: [] })
}

async function signPayload(signer: Signer, payload: Uint8Array): Promise<Uint8Array> {
  return formatSignedFile(await signFile([signer], 'timestamp', 'envelope', payload))
}

async function withdraw(registry: TestRegistry, name: string): Promise<Envelope> {
  const { promoter, folder, timestamping } = registry
  const entry = { name, version: '1.0-1', arch: 'amd64', channel: 'stable', yanked: 'broken' } as const
  return promotePackage({ folder, entry, promoters: [promoter], timestamping })
}

async function offered(host: TestHost): Promise<readonly string[]> {
  return host.run((workspace) => {
    openCatalogueDatabase(workspace.paths.catalogueDatabase).close()
    return search(workspace, ['test', 'package']).map(({ name }) => name)
  })
}

async function withCatalogue(host: TestHost, use: (catalogue: Catalogue) => void): Promise<void> {
  await host.run((workspace) => {
    const database = openCatalogueDatabase(workspace.paths.catalogueDatabase)
    try {
      use(new Catalogue(database, { arch: 'amd64', seed: '' }))
    } finally {
      database.close()
    }
  })
}

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
