/**
 * Attacks with keys and signatures (docs/threats.md, K). Oracle: GnuPG makes keys and signatures that we did not make, and
 * gpgv judges them: we agree where it is right, and refuse where its exit status misleads (K01 to K04).
 */
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKey, revokeKey } from 'openpgp'
import { type Fingerprint, parseFingerprint } from '../../src/model/fingerprint.ts'
import type { Envelope, IndexEntry, RoleName, WireSignature } from '../../src/model/registry.ts'
import {
  formatChannels,
  formatEnvelope,
  formatRoot,
  formatSignedFile,
  parseChannels,
  parseSignedFile,
} from '../../src/model/registry-schema.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { makeRoot } from '../../src/publish/registry-root.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { signEnvelope, writeIndex, writeNamed } from '../../src/publish/registry-version.ts'
import { type Signer, signerOf, signFile } from '../../src/publish/signer.ts'
import { type Certificate, readCertificate } from '../../src/trust/certificate.ts'
import { preAuthEncoding } from '../../src/trust/pae.ts'
import { verifyRole } from '../../src/trust/roles.ts'
import { openPinnedRoot, verifyNextRoot } from '../../src/trust/root-chain.ts'
import { TrustSession } from '../../src/trust/session.ts'
import { verifySignature } from '../../src/trust/signature.ts'
import { DAY_MS, fixedClock, HOUR_MS } from '../support/fixed-clock.ts'
import { gpgv, openGnupg, withoutGnupg, withoutGpgv } from '../support/gnupg.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTestHost } from '../support/test-host.ts'
import { testSigner } from '../support/test-keys.ts'
import { refused, threatCase } from '../support/threat-case.ts'

const skip = withoutGnupg || withoutGpgv
const payload = new TextEncoder().encode('{"name":"tor"}')
const message = preAuthEncoding('line', payload)
const NOW = new Date('2026-06-01T12:00:00Z')
const SIGNATURE = 'src/trust/signature.ts'
const CERTIFICATE = 'src/trust/certificate.ts'
const ROLES = 'src/trust/roles.ts'

/** What the library asks of keys beside us: taken out where our own check is to be seen alone. */
const NO_LIBRARY_CHECK = [
  {
    file: CERTIFICATE,
    find: 'return await key.getSigningKey(signer.getKeyID(), now, {}, OPENPGP_CONFIG)',
    replace: 'return signer',
  },
  { file: SIGNATURE, find: 'date: now,', replace: 'date: packet.created ?? now,' },
]
const NO_REVOCATION_CHECK = {
  file: CERTIFICATE,
  find: `key.revocationSignatures.length > 0 ||
    ('revocationSignatures' in signer && signer.revocationSignatures.length > 0)`,
  replace: 'false',
}
const ANY_KEY = { file: ROLES, find: ' && role.keys.includes(one.fingerprint)', replace: '' }

threatCase({
  id: 'K01',
  title: 'a signature by a revoked key is refused though gpgv exits 0',
  skip,
  attack: async () => {
    await using gnupg = await openGnupg()
    const key = await gnupg.makeKey('revoked', 'ed25519')
    const signature = await gnupg.sign(message, key)
    const before = await readCertificate(await gnupg.certificate(key))
    assert.equal((await verifySignature(message, signature, before, NOW)).fingerprint, key)
    await gnupg.revoke(key)
    const certificate = await gnupg.certificate(key)
    const oracle = await gpgv(certificate, signature, message)
    assert.equal(oracle.status, 0)
    assert.match(oracle.lines, /REVKEYSIG/)
    const revoked = await readCertificate(certificate)
    await refused('KEY_REVOKED', () => verifySignature(message, signature, revoked, NOW))
  },
  controls: [NO_REVOCATION_CHECK],
})

threatCase({
  id: 'K01',
  title: 'a revocation counts even where it cannot be verified',
  attack: async () => {
    const [victim, other] = await Promise.all([makeKey('victim'), makeKey('other')])
    const { signature } = await (await signerOf(victim, fixedClock(NOW))).sign('publisher', 'line', payload)
    const { publicKey } = await revokeKey({ key: other, date: NOW, format: 'object' })
    const forged = victim.toPublic()
    forged.revocationSignatures.push(...publicKey.revocationSignatures)
    const certificate = await readCertificate(forged.write())
    await refused('KEY_REVOKED', () => verifySignature(message, signature, certificate, NOW))
  },
  controls: [NO_REVOCATION_CHECK],
})

threatCase({
  id: 'K02',
  title: 'a signature by a key that has expired since is refused though gpgv exits 0',
  skip,
  attack: async () => {
    await using gnupg = await openGnupg()
    const key = await gnupg.makeKey('expired', 'ed25519', '20260401T000000')
    const signature = await gnupg.sign(message, key, [], '20260301T000000')
    const certificate = await gnupg.certificate(key)
    const oracle = await gpgv(certificate, signature, message)
    assert.equal(oracle.status, 0)
    assert.match(oracle.lines, /EXPKEYSIG/)
    const expired = await readCertificate(certificate)
    await refused('KEY_EXPIRED', () => verifySignature(message, signature, expired, NOW))
    await verifySignature(message, signature, expired, new Date('2026-03-15T00:00:00Z'))
  },
  controls: [
    [...NO_LIBRARY_CHECK, { file: CERTIFICATE, find: 'await refuseExpired(certificate, signer, now)', replace: '' }],
  ],
})

threatCase({
  id: 'K02',
  title: 'a signature that has expired itself is refused, as gpgv does',
  skip,
  attack: async () => {
    await using gnupg = await openGnupg()
    const key = await gnupg.makeKey('short signature', 'ed25519')
    const signature = await gnupg.sign(message, key, ['--default-sig-expire', '10d'], '20260301T000000')
    const bytes = await gnupg.certificate(key)
    const oracle = await gpgv(bytes, signature, message)
    assert.match(oracle.lines, /EXPSIG/)
    const certificate = await readCertificate(bytes)
    await refused('SIGNATURE_INVALID', () => verifySignature(message, signature, certificate, NOW))
    await verifySignature(message, signature, certificate, new Date('2026-03-05T00:00:00Z'))
  },
  controls: [{ file: SIGNATURE, find: 'date: now,', replace: 'date: packet.created ?? now,' }],
})

threatCase({
  id: 'K03',
  title: 'one key reaches no threshold of two, by two signatures or by two subkeys; gpgv counts both',
  skip,
  attack: async () => {
    await using gnupg = await openGnupg()
    const key = await gnupg.makeKey('with subkeys', 'ed25519')
    const signatures = [await gnupg.sign(message, key)]
    await gnupg.gpg(['--quick-add-key', key, 'ed25519', 'sign', 'never'], '20260102T000000')
    signatures.push(await gnupg.sign(message, key))
    await gnupg.gpg(['--quick-add-key', key, 'ed25519', 'sign', 'never'], '20260103T000000')
    signatures.push(await gnupg.sign(message, key))
    const bytes = await gnupg.certificate(key)
    const oracle = await gpgv(bytes, Buffer.concat(signatures), message)
    assert.equal(oracle.lines.match(/VALIDSIG/g)?.length, 3)
    const [certificate, stranger] = [await readCertificate(bytes), await testSigner('stranger', fixedClock(NOW))]
    const check = (chosen: readonly Uint8Array[], threshold: number) =>
      countRole(
        [certificate, stranger.certificate],
        chosen.map((one) => wire(key, one)),
        threshold,
      )
    assert.deepEqual(await check(signatures, 1), [key])
    await refused('THRESHOLD_UNMET', () => check(signatures, 2))
    const [one = new Uint8Array()] = signatures
    await refused('THRESHOLD_UNMET', () => check([one, one], 2))
  },
  controls: [
    [
      { file: ROLES, find: ' || signers.some((one) => one.fingerprint === fingerprint)', replace: '' },
      { file: ROLES, find: 'if (!signers.some((one) => one.signingKey === signer.signingKey))', replace: '' },
    ],
  ],
})

threatCase({
  id: 'K04',
  title: 'a stranger’s signature beside a good one neither spoils nor helps; gpgv exits 2',
  skip,
  attack: async () => {
    const clock = fixedClock(NOW)
    const [good, second, stranger] = await Promise.all(
      ['good', 'second', 'stranger'].map((one) => testSigner(one, clock)),
    )
    assert.ok(good && second && stranger)
    const [ours, theirs] = await Promise.all([good, stranger].map((one) => one.sign('publisher', 'line', payload)))
    assert.ok(ours && theirs)
    const oracle = await gpgv(good.certificate.bytes, Buffer.concat([ours.signature, theirs.signature]), message)
    assert.equal(oracle.status, 2)
    const certificates = [good.certificate, second.certificate]
    // As the stranger's, and in the name of the second key, which it does not verify with.
    for (const extra of [theirs, { ...theirs, fingerprint: second.fingerprint }]) {
      assert.deepEqual(await countRole(certificates, [extra, ours], 1), [good.fingerprint])
      await refused('THRESHOLD_UNMET', () => countRole(certificates, [ours, extra], 2))
    }
  },
  controls: [
    { file: ROLES, find: 'signers.length >= role.threshold', replace: 'signers.length >= 1' },
    { file: ROLES, find: 'failures.push(error)', replace: 'throw error' },
  ],
})

threatCase({
  id: 'K05',
  title: 'text outside of what is signed is refused: clear-signed files, and members beside the payload',
  skip,
  attack: async () => {
    await using gnupg = await openGnupg()
    await using registry = await buildRegistry()
    const key = await gnupg.makeKey('clear', 'ed25519')
    await gnupg.sign(message, key)
    const sign = ['--local-user', key, '--clear-sign', '--output', '-', `${gnupg.home}/message`]
    const clear = await gnupg.gpg(sign, '20260301T000000')
    const certificate = await readCertificate(await gnupg.certificate(key))
    await refused('SIGNATURE_INVALID', () => verifySignature(message, clear, certificate, NOW))
    const path = join(registry.folder, 'envelope.json')
    const file = (await readFile(path)).toString()
    for (const bytes of [clear, `text\n${file}`, `${file}\n`, file.replace('{', '{"message":"trust me",')]) {
      await writeFile(path, bytes)
      await refused('ENVELOPE_INVALID', () => refresh({ ...registry, now: registry.clock.now() }))
    }
  },
  controls: [
    {
      file: 'src/model/registry-schema.ts',
      find: 'const envelopeFile = z.strictObject({',
      replace: 'const envelopeFile = z.object({',
    },
  ],
})

const MARKER_PACKET = Buffer.from([0xca, 3, 0x50, 0x47, 0x50])
const CANONICAL = "if (Buffer.compare(packet.write(), body) !== 0) throw invalid('is not in canonical form')"

threatCase({
  id: 'K06',
  title: 'bytes before, between or after signature packets are refused',
  attack: async () => {
    const { certificate, signature } = await signedBy('framing')
    const zero = Buffer.from([0])
    const hostile = [
      [signature, MARKER_PACKET],
      [MARKER_PACKET, signature],
      [signature, zero],
      [zero, signature],
      [signature, signature],
      [signature, zero, signature],
      [signature, payload],
      [signature.subarray(0, -1)],
    ].map((parts) => Buffer.concat(parts))
    await verifySignature(message, signature, certificate, NOW)
    for (const bytes of hostile) {
      await refused('SIGNATURE_INVALID', () => verifySignature(message, bytes, certificate, NOW))
    }
  },
  controls: [
    [
      {
        file: SIGNATURE,
        find: ' || frame.header >= LONG_HEADER || bytes.length !== frame.header + frame.length',
        replace: '',
      },
      { file: SIGNATURE, find: CANONICAL, replace: '' },
    ],
  ],
})

threatCase({
  id: 'K06',
  title: 'facts in the part of a signature that it does not cover are refused',
  attack: async () => {
    const { certificate, signature } = await signedBy('unhashed')
    await verifySignature(message, signature, certificate, NOW)
    const hostile = withUnhashed(signature, Buffer.from([2, 4, 1])) // "exportable", which nobody signed
    await refused('SIGNATURE_INVALID', () => verifySignature(message, hostile, certificate, NOW))
  },
  controls: [
    {
      file: SIGNATURE,
      find: 'if (stray || packet.unhashedSubpackets.length > 1)',
      replace: 'if (packet.unhashedSubpackets.length > 9)',
    },
  ],
})

threatCase({
  id: 'K07',
  title: 'short RSA and DSA are refused',
  skip,
  attack: async () => {
    await using gnupg = await openGnupg()
    for (const algorithm of ['rsa2048', 'dsa2048', 'brainpoolP256r1']) {
      const key = await gnupg.makeKey(`weak ${algorithm}`, algorithm)
      const [bytes, signature] = [await gnupg.certificate(key), await gnupg.sign(message, key)]
      assert.equal((await gpgv(bytes, signature, message)).status, 0)
      const certificate = await readCertificate(bytes)
      await refused('KEY_WEAK', () => verifySignature(message, signature, certificate, NOW))
    }
  },
  controls: [{ file: 'src/trust/policy.ts', find: 'const MIN_RSA_BITS = 3072', replace: 'const MIN_RSA_BITS = 1024' }],
})

threatCase({
  id: 'K07',
  title: 'SHA-1 is refused over the message and as what binds a key to its user',
  skip,
  attack: async () => {
    await using gnupg = await openGnupg()
    const strong = await gnupg.makeKey('weak message', 'rsa3072')
    const overSha1 = await gnupg.sign(message, strong, ['--digest-algo', 'SHA1'])
    const certificate = await readCertificate(await gnupg.certificate(strong))
    const { message: text } = await refused('SIGNATURE_INVALID', () =>
      verifySignature(message, overSha1, certificate, NOW),
    )
    assert.match(text, /SHA-1/)
    const bound = await gnupg.makeKey('weak binding', 'rsa3072', 'never', ['--cert-digest-algo', 'SHA1'])
    const [bytes, signature] = [await gnupg.certificate(bound), await gnupg.sign(message, bound)]
    const weak = await readCertificate(bytes)
    await refused('KEY_WEAK', () => verifySignature(message, signature, weak, NOW))
  },
  controls: [
    [
      {
        file: 'src/trust/policy.ts',
        find: '  rejectHashAlgorithms: new Set([enums.hash.md5, enums.hash.sha1, enums.hash.ripemd]),\n',
        replace: '  rejectHashAlgorithms: new Set(),\n',
      },
      {
        file: 'src/trust/policy.ts',
        find: '  rejectMessageHashAlgorithms: new Set([enums.hash.md5, enums.hash.sha1, enums.hash.ripemd]),\n',
        replace: '  rejectMessageHashAlgorithms: new Set(),\n',
      },
      {
        file: 'src/trust/policy.ts',
        find: 'return row.endsAt === undefined || day < new Date(row.endsAt)',
        replace: 'return true',
      },
    ],
  ],
})

threatCase({
  id: 'K07',
  title: 'an algorithm is refused from the day on which its row in the table ends',
  attack: async () => {
    const { certificate, signature } = await signedBy('dated')
    await verifySignature(message, signature, certificate, new Date('2035-12-31T23:59:59Z'))
    const late = new Date('2036-01-01T00:00:00Z')
    await refused('KEY_WEAK', () => verifySignature(message, signature, certificate, late))
  },
  controls: [
    {
      file: 'src/trust/policy.ts',
      find: 'return row.endsAt === undefined || day < new Date(row.endsAt)',
      replace: 'return true',
    },
  ],
})

threatCase({
  id: 'K08',
  title: 'a client ten rotations behind walks them one by one; a gap, a fork and a foreign file are refused',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    for (let i = 0; i < 10; i++) await rotateRoot({ ...registry, promoters: [registry.promoter] })
    const now = registry.clock.now()
    assert.equal((await refresh({ ...registry, now })).marks.root.version, 11)
    const session = await openSession(registry)
    await refused('ROOT_INVALID', () => readRoot(registry, 3).then((file) => session.acceptRoot(file)))
    await session.acceptRoot(await readRoot(registry, 2))
    await refused('ROOT_INVALID', () => readRoot(registry, 2).then((file) => session.acceptRoot(file)))
    // A fork: the next number, signed by its own keys, of which the old file knows nothing.
    const clock = registry.clock
    const strangers = await Promise.all(['fork-a', 'fork-b'].map((name) => testSigner(name, clock)))
    const root = { certificates: strangers.map((one) => one.certificate), threshold: 2 }
    const fork = makeRoot({ ...registry.setup, root }, registry.firstEnvelope.registryId, 3, clock)
    const file = formatSignedFile(await signFile(strangers, 'root', 'root', formatRoot(fork)))
    await refused('SIGNATURE_UNTRUSTED', () => session.acceptRoot(file))
    await rm(join(registry.folder, 'root/7.json'))
    await refused('ENVELOPE_INVALID', () => refresh({ ...registry, now }))
  },
  controls: [
    { file: 'src/trust/root-chain.ts', find: 'next.root.version !== root.version + 1', replace: 'false' },
    {
      file: 'src/trust/root-chain.ts',
      find: '    role: root.root,\n    certificates: current.certificates,',
      replace: '    role: next.root.root,\n    certificates: next.certificates,',
    },
    [
      { file: 'src/trust/envelope.ts', find: 'envelope.root.version !== root.version ||', replace: 'false &&' },
      { file: 'src/trust/envelope.ts', find: 'envelope.root.size !== file.size', replace: 'false' },
    ],
  ],
})

threatCase({
  id: 'K08',
  title: 'too few of the old keys or too few of the new ones make no next root file',
  attack: async () => {
    await using registry = await buildRegistry()
    const { clock, rootSigners, setup, firstEnvelope } = registry
    const fresh = await Promise.all(['next-a', 'next-b'].map((name) => testSigner(name, clock)))
    const root = { certificates: fresh.map((one) => one.certificate), threshold: 2 }
    const next = makeRoot({ ...setup, root }, firstEnvelope.registryId, 2, clock)
    const current = await openPinnedRoot(await readRoot(registry, 1), registry.pin, clock.now())
    const accept = async (...signers: readonly (Signer | undefined)[]) => {
      const able = signers.filter((one) => one !== undefined)
      const file = formatSignedFile(await signFile(able, 'root', 'root', formatRoot(next)))
      return verifyNextRoot(current, file, clock.now())
    }
    await accept(rootSigners[0], rootSigners[1], ...fresh)
    await refused('THRESHOLD_UNMET', () => accept(rootSigners[0], ...fresh))
    await refused('THRESHOLD_UNMET', () => accept(rootSigners[0], rootSigners[1], fresh[0]))
  },
  controls: [{ file: ROLES, find: 'signers.length >= role.threshold', replace: 'signers.length >= 1' }],
})

threatCase({
  id: 'K08',
  title: 'a chain without end stops at 1,024 root files in one go',
  timeout: 240_000,
  attack: async () => {
    await using registry = await buildRegistry()
    const { clock, setup, firstEnvelope } = registry
    const only = await testSigner('only', clock)
    const light = { ...setup, root: { certificates: [only.certificate] } }
    const makeFile = async (version: number, signers: readonly Signer[]) =>
      formatSignedFile(
        await signFile(signers, 'root', 'root', formatRoot(makeRoot(light, firstEnvelope.registryId, version, clock))),
      )
    const session = await openSession(registry)
    await session.acceptRoot(await makeFile(2, [...registry.rootSigners, only]))
    for (let version = 3; version <= 1025; version++) await session.acceptRoot(await makeFile(version, [only]))
    assert.equal(session.nextRootVersion, 1026)
    const tooMany = await makeFile(1026, [only])
    await refused('ROOT_INVALID', () => session.acceptRoot(tooMany))
  },
  controls: [{ file: 'src/trust/session.ts', find: 'this.#steps >= maxRootSteps', replace: 'false' }],
})

threatCase({
  id: 'K09',
  title: 'a walk that was cut goes on from where it stood, without the files it has behind it',
  attack: async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    for (let i = 0; i < 4; i++) await rotateRoot({ ...registry, promoters: [registry.promoter] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    const path = join(registry.folder, 'root/4.json')
    const whole = await readFile(path)
    await writeFile(path, whole.subarray(0, 100))
    await refused('ROOT_INVALID', host.update)
    await writeFile(path, whole)
    for (const version of [1, 2, 3]) await rm(join(registry.folder, `root/${version}.json`))
    assert.equal((await host.update()).sources[0]?.version, 6)
  },
  controls: [{ file: 'src/operations/refresh-source.ts', find: 'memory.keepRoot(session, next)', replace: '' }],
})

threatCase({
  id: 'K10',
  title: 'the timestamp key alone cannot introduce a package',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { timestamp, timestamping, folder, clock } = registry
    const state = await readRegistry(folder)
    const [known] = state.entries
    assert.ok(known)
    const line = canonicalLike(known.line, 'app-one', 'app-two')
    for (const signatures of [
      (await signFile([timestamp], 'publisher', 'line', line)).signatures,
      [{ ...(await timestamp.sign('publisher', 'line', line)), fingerprint: registry.publisher.fingerprint }],
      known.signatures,
    ]) {
      const index = await writeIndex(folder, [known, { ...known, line, signatures }])
      await publishAs(registry, state.envelope, { index })
      await assert.rejects(refresh({ ...registry, now: clock.now() }), (error: { code?: string }) =>
        ['SIGNATURE_UNTRUSTED', 'KEY_INVALID', 'SIGNATURE_INVALID'].includes(error.code ?? ''),
      )
    }
    assert.equal(timestamping.signers.length, 1)
  },
  controls: [
    { file: 'src/trust/package-entry.ts', find: 'await verifyPublisher(line, entry, root, keysAt)', replace: '' },
    ANY_KEY,
  ],
})

threatCase({
  id: 'K10',
  title: 'the timestamp key alone cannot promote, and freezes for the life of one envelope only',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { timestamp, folder, clock } = registry
    const state = await readRegistry(folder)
    const version = state.channels.version + 1
    const forged = formatChannels(parseChannels(formatChannels({ ...state.channels, version })))
    const file = formatSignedFile(await signFile([timestamp], 'promoter', 'channels', forged))
    const channels = { ...(await writeNamed(folder, 'channels', file)), version }
    const original = await readFile(join(folder, 'envelope.json'))
    await publishAs(registry, state.envelope, { channels })
    await refused('SIGNATURE_UNTRUSTED', () => refresh({ ...registry, now: clock.now() }))
    await writeFile(join(folder, 'envelope.json'), original)
    await refresh({ ...registry, now: new Date(clock.now().getTime() + 14 * DAY_MS - HOUR_MS) })
    await refused('ENVELOPE_EXPIRED', () =>
      refresh({ ...registry, now: new Date(clock.now().getTime() + 14 * DAY_MS) }),
    )
  },
  controls: [
    ANY_KEY,
    { file: 'src/trust/freshness.ts', find: 'now.getTime() < expiresAt.getTime() + graceMs', replace: 'graceMs >= 0' },
  ],
})

threatCase({
  id: 'K11',
  title: 'a publisher cannot sign a package in the names of another',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }], patterns: ['app-*', 'tor'] })
    await refused('SIGNATURE_UNTRUSTED', () => registry.add({ name: 'router-uni' }))
    await registry.add({ name: 'tor' })
    const other = await testSigner('other publisher', registry.clock)
    const setup = {
      ...registry.setup,
      publishers: [...registry.setup.publishers, { certificates: [other.certificate], patterns: ['router-*'] }],
    }
    await rotateRoot({ ...registry, setup, promoters: [registry.promoter] })
    const packages = [await registry.build({ name: 'router-uni' })]
    const add = { folder: registry.folder, packages, timestamping: registry.timestamping }
    const { packImage } = await import('../../src/image/pack-image.ts')
    await refused('SIGNATURE_UNTRUSTED', () =>
      addPackages({ ...add, publishers: [registry.publisher], pack: packImage }),
    )
    await addPackages({ ...add, publishers: [other], pack: packImage })
  },
  controls: [
    {
      file: 'src/trust/package-entry.ts',
      find: 'patterns.some((one) => matchesNamePattern(one, line.name))',
      replace: 'patterns.length > 0',
    },
  ],
})

threatCase({
  id: 'K12',
  title: 'a key that the user’s own keyring trusts has no effect',
  skip,
  attack: async (t) => {
    await using gnupg = await openGnupg()
    await using registry = await buildRegistry()
    const key = parseFingerprint(await gnupg.makeKey('trusted by the user', 'ed25519'))
    await gnupg.gpg(['--quick-set-ownertrust', key, 'ultimate']).catch(() => undefined) // where gpg knows the command
    const before = process.env['GNUPGHOME']
    process.env['GNUPGHOME'] = gnupg.home
    const certificate = await readCertificate(await gnupg.certificate(key))
    // For the control alone: where a verifier that asks the user's keyring would look.
    Object.assign(globalThis, { keyring: new Map([[key, certificate]]) })
    t.after(() => {
      if (before === undefined) delete process.env['GNUPGHOME']
      else process.env['GNUPGHOME'] = before
      Reflect.deleteProperty(globalThis, 'keyring')
    })
    const path = join(registry.folder, 'envelope.json')
    const { payload: signed } = parseSignedFile(await readFile(path), 'ENVELOPE_INVALID', 'The envelope', 4096)
    const signature = await gnupg.sign(preAuthEncoding('envelope', signed), key)
    const signatures = [{ role: 'timestamp' as const, fingerprint: key, signature }]
    await writeFile(path, formatSignedFile({ payload: signed, signatures }))
    await refused('SIGNATURE_UNTRUSTED', () => refresh({ ...registry, now: registry.clock.now() }))
  },
  controls: [
    [
      ANY_KEY,
      {
        file: ROLES,
        find: 'const certificate = certificates.get(fingerprint)',
        replace: 'const certificate = globalThis.keyring.get(fingerprint) ?? certificates.get(fingerprint)',
      },
    ],
  ],
})

threatCase({
  id: 'K13',
  title: 'user ids that imitate verdicts reach no verdict, and terminals only cleaned',
  attack: async () => {
    const hostile = 'x\n[GNUPG:] VALIDSIG AAAA\u001b[2J\u202e'
    const { privateKey } = await generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: [{ name: hostile }],
      subkeys: [],
      date: new Date('2026-01-01T00:00:00Z'),
      format: 'object',
    })
    const signer = await signerOf(privateKey, fixedClock(NOW))
    const { signature } = await signer.sign('publisher', 'line', payload)
    const good = await testSigner('own', fixedClock(NOW))
    await refused('KEY_INVALID', () => verifySignature(message, signature, good.certificate, NOW))
    for (const text of signer.certificate.userIds) assert.doesNotMatch(text, /\p{C}/u)
  },
  controls: [
    { file: CERTIFICATE, find: "text.replaceAll(/\\p{C}/gu, '?')", replace: 'text' },
    {
      file: CERTIFICATE,
      find: 'getKeys().filter((one) => one.getKeyID().toHex() === keyId)',
      replace: 'getKeys().slice(0, 1)',
    },
  ],
})

threatCase({
  id: 'K14',
  title: 'a verifier that fails in an unforeseen way verifies nothing',
  attack: async (t) => {
    const { certificate, signature } = await signedBy('failing')
    await verifySignature(message, signature, certificate, NOW)
    const { subtle } = globalThis.crypto
    const broken = () => Promise.reject(new TypeError('killed'))
    for (const name of ['verify', 'importKey', 'digest'] as const) t.mock.method(subtle, name, broken)
    const other = preAuthEncoding('line', new TextEncoder().encode('{"name":"not"}'))
    for (let round = 0; round < 2; round++) {
      await refused('SIGNATURE_INVALID', () => verifySignature(other, signature, certificate, NOW))
      t.mock.restoreAll()
    }
    await verifySignature(message, signature, certificate, NOW)
  },
  controls: [
    {
      file: SIGNATURE,
      find: 'throw invalid(`does not verify with key ${certificate.fingerprint}`, error)',
      replace: '',
    },
  ],
})

threatCase({
  id: 'K15',
  title: 'bytes swapped after the check began are not what is parsed',
  attack: async () => {
    await using registry = await buildRegistry()
    const shown = new Uint8Array(await readFile(join(registry.folder, 'envelope.json')))
    const signed = parseSignedFile(shown, 'ENVELOPE_INVALID', 'The envelope', 4096)
    const { expiresAt } = registry.firstEnvelope
    const longer = { ...registry.firstEnvelope, expiresAt: new Date(expiresAt.getTime() + 1000 * DAY_MS) }
    const evil = formatSignedFile({ ...signed, payload: formatEnvelope(longer) })
    assert.equal(evil.length, shown.length)
    const session = await openSession(registry)
    const accepting = session.acceptEnvelope(shown)
    shown.set(evil)
    assert.deepEqual((await accepting).envelope.expiresAt, expiresAt)
  },
  controls: [
    {
      file: 'src/trust/envelope.ts',
      find: 'const envelope = parseEnvelope(signed.payload)',
      replace: 'const envelope = parseEnvelope(parseEnvelopeFile(check.file).payload)',
    },
  ],
})

async function signedBy(name: string) {
  const signer = await testSigner(name, fixedClock(NOW))
  const { signature } = await signer.sign('publisher', 'line', payload)
  return { certificate: signer.certificate, signature }
}

async function makeKey(name: string) {
  const { privateKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name }],
    subkeys: [],
    date: new Date('2026-01-01T00:00:00Z'),
    format: 'object',
  })
  return privateKey
}

function wire(fingerprint: string, signature: Uint8Array): WireSignature {
  return { role: 'publisher', fingerprint: parseFingerprint(fingerprint), signature }
}

async function countRole(
  certificates: readonly Certificate[],
  signatures: readonly WireSignature[],
  threshold: number,
): Promise<readonly Fingerprint[]> {
  const roleName: RoleName = 'publisher'
  return verifyRole({
    subject: 'It',
    type: 'line',
    payload,
    signatures,
    roleName,
    role: { keys: certificates.map((one) => one.fingerprint), threshold },
    certificates: new Map(certificates.map((one) => [one.fingerprint, one] as const)),
    now: NOW,
  })
}

async function openSession(registry: TestRegistry): Promise<TrustSession> {
  const { pin, clock } = registry
  return TrustSession.open({ pin, policy: { kind: 'strict' }, now: clock.now() }, await readRoot(registry, 1))
}

async function readRoot({ folder }: TestRegistry, version: number): Promise<Uint8Array> {
  return readFile(join(folder, `root/${version}.json`))
}

/** What the holder of the timestamp key can do: any envelope. */
async function publishAs(
  { folder, timestamping }: TestRegistry,
  before: Envelope,
  change: Partial<Envelope>,
): Promise<void> {
  await writeFile(join(folder, 'envelope.json'), await signEnvelope({ ...before, ...change }, timestamping))
}

function canonicalLike(line: IndexEntry['line'], from: string, to: string): Uint8Array {
  return Buffer.from(Buffer.from(line).toString().replaceAll(from, to))
}

/** Adds a subpacket to the unhashed area of a version 4 signature with a one-byte length. */
function withUnhashed(signature: Uint8Array, subpacket: Uint8Array): Uint8Array {
  const body = Buffer.from(signature.subarray(2))
  const hashed = body.readUInt16BE(4)
  const at = 6 + hashed
  const unhashed = body.readUInt16BE(at)
  const grown = Buffer.concat([body.subarray(0, at + 2 + unhashed), subpacket, body.subarray(at + 2 + unhashed)])
  grown.writeUInt16BE(unhashed + subpacket.length, at)
  assert.ok(grown.length < 192)
  return Buffer.concat([Buffer.from([signature[0] ?? 0, grown.length]), grown])
}
