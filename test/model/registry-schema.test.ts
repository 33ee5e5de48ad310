import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { canonicalJsonBytes } from '../../src/model/canonical-json.ts'
import { sha256 } from '../../src/model/digest.ts'
import { parseFingerprint } from '../../src/model/fingerprint.ts'
import type { Envelope, Root } from '../../src/model/registry.ts'
import {
  formatEnvelope,
  formatEnvelopeFile,
  formatRoot,
  formatSignedFile,
  parseChannels,
  parseEnvelope,
  parseEnvelopeFile,
  parseRoot,
  parseSignedFile,
  parseSubmission,
} from '../../src/model/registry-schema.ts'

const digest = sha256('x')
const registryId = 'ab'.repeat(16)
const [alice, bob] = [parseFingerprint('A'.repeat(40)), parseFingerprint('B'.repeat(40))]

const envelope: Envelope = {
  registryId,
  version: 2,
  issuedAt: new Date('2026-06-01T00:00:00Z'),
  expiresAt: new Date('2026-06-15T00:00:00Z'),
  root: { version: 1, sha256: digest, size: 1 },
  index: { sha256: digest, size: 1, unpackedSize: 0, count: 0 },
  channels: { version: 1, sha256: digest, size: 1 },
  previous: { version: 1, sha256: digest },
}

const root: Root = {
  registryId,
  version: 1,
  issuedAt: envelope.issuedAt,
  expiresAt: envelope.expiresAt,
  certificates: new Map([
    [alice, new Uint8Array([1])],
    [bob, new Uint8Array([2])],
  ]),
  root: { keys: [alice, bob], threshold: 2 },
  timestamp: { keys: [bob], threshold: 1 },
  promoter: { keys: [bob], threshold: 1 },
  publishers: [{ keys: [bob], threshold: 1, patterns: ['router-*'] }],
}

describe('an envelope file', () => {
  const signature = { fingerprint: alice, role: 'timestamp', signature: new Uint8Array([1]) } as const
  const signed = { payload: formatEnvelope(envelope), signatures: [signature] }
  const roots = new Map([2, 10].map((number) => [number, new Uint8Array([number])] as const))

  test('comes back with the root files that it carries, and is any signed file without them', () => {
    assert.deepEqual(parseEnvelopeFile(formatEnvelopeFile({ ...signed, roots })), { ...signed, roots })
    assert.deepEqual(formatEnvelopeFile({ ...signed, roots: new Map() }), formatSignedFile(signed))
    assert.deepEqual(parseEnvelopeFile(formatSignedFile(signed)), { ...signed, roots: new Map() })
  })

  const wire = JSON.parse(Buffer.from(formatEnvelopeFile({ ...signed, roots })).toString()) as Record<string, unknown>
  const refused: Readonly<Record<string, object>> = {
    'a root file 0': { ...wire, roots: { '0': 'AA==' } },
    'a number with a second spelling': { ...wire, roots: { '02': 'AA==' } },
    'a number beyond 16 digits': { ...wire, roots: { ['1'.repeat(17)]: 'AA==' } },
    'a root file that is not base64': { ...wire, roots: { '2': '?' } },
    'root files as a list': { ...wire, roots: ['AA=='] },
    'another member': { ...wire, root: {} },
    'no signature': { ...wire, signatures: [] },
    'an envelope larger than 4 KiB': { ...wire, payload: Buffer.alloc(4096).toString('base64') },
    'root files of more than 4 MiB': {
      ...wire,
      roots: { '2': Buffer.alloc(3 * 1024 * 1024 + 4096).toString('base64') },
    },
  }
  for (const [what, value] of Object.entries(refused)) {
    test(`with ${what} is refused`, () => {
      assert.throws(() => parseEnvelopeFile(canonicalJsonBytes(value)), { code: 'ENVELOPE_INVALID' })
    })
  }
})

describe('an envelope', () => {
  test('comes back from its bytes as it was', () => {
    assert.deepEqual(parseEnvelope(formatEnvelope(envelope)), envelope)
  })

  const plain = JSON.parse(Buffer.from(formatEnvelope(envelope)).toString()) as Record<string, unknown>
  const refused: Readonly<Record<string, object>> = {
    'a version beyond 2^53 - 1 spelled as text': { ...plain, version: '9007199254740993' },
    'version 0': { ...plain, version: 0 },
    'a version that does not follow its predecessor': { ...plain, version: 5 },
    'a first version with a predecessor': { ...plain, version: 1 },
    'a second version without one': { ...plain, previous: undefined },
    'an end before its beginning': { ...plain, expiresAt: '2025-01-01T00:00:00Z' },
    'a time with a zone': { ...plain, issuedAt: '2026-06-01T00:00:00+02:00' },
    'a time that does not exist': { ...plain, issuedAt: '2026-06-01T25:00:00Z' },
    'an unknown field': { ...plain, mirror: 'x' },
    'a message with escapes': { ...plain, message: '\u001b[2J' },
    'another kind of id': { ...plain, registryId: 'x' },
  }
  for (const [what, value] of Object.entries(refused)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseEnvelope(canonicalJsonBytes(value)), { code: 'ENVELOPE_INVALID' })
    })
  }
})

describe('a root file', () => {
  test('comes back from its bytes as it was', () => {
    assert.deepEqual(parseRoot(formatRoot(root)), root)
  })

  const refused: Readonly<Record<string, Root>> = {
    'a threshold above the number of keys': { ...root, timestamp: { keys: [bob], threshold: 2 } },
    'a threshold of nothing': { ...root, timestamp: { keys: [bob], threshold: 0 } },
    'a role without keys': { ...root, promoter: { keys: [], threshold: 1 } },
    'the same key twice': { ...root, root: { keys: [alice, alice, bob], threshold: 2 } },
    'a key without certificate': { ...root, certificates: new Map([[alice, new Uint8Array([1])]]) },
    'a certificate that no role names': { ...root, root: { keys: [bob], threshold: 1 } },
    'a pattern that is a regular expression': {
      ...root,
      publishers: [{ keys: [bob], threshold: 1, patterns: ['.*'] }],
    },
    'a publisher without patterns': { ...root, publishers: [{ keys: [bob], threshold: 1, patterns: [] }] },
  }
  for (const [what, value] of Object.entries(refused)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseRoot(formatRoot(value)), { code: 'ROOT_INVALID' })
    })
  }
})

describe('a channels file', () => {
  test('refuses a package version that appears twice', () => {
    const entry = { name: 'tor', version: '1', arch: 'all', channel: 'stable' }
    assert.throws(() => parseChannels(canonicalJsonBytes({ registryId, version: 1, entries: [entry, entry] })), {
      code: 'CHANNELS_INVALID',
    })
  })
})

describe('a submission', () => {
  test('refuses to be empty', () => {
    assert.throws(() => parseSubmission(canonicalJsonBytes({ registryId, entries: [] })), { code: 'REGISTRY_INVALID' })
  })
})

describe('a signed file', () => {
  const file = {
    payload: new Uint8Array([1, 2]),
    signatures: [{ role: 'root', fingerprint: alice, signature: new Uint8Array([3]) }],
  } as const

  test('comes back from its bytes as it was', () => {
    assert.deepEqual(parse(formatSignedFile(file)), file)
  })

  test('has one spelling of base64', () => {
    const text = Buffer.from(formatSignedFile(file)).toString()
    assert.ok(text.includes('"AQI="'))
    for (const other of ['"AQJ="', '"AQI"', '"AQI=="', '"AQ I="', '""']) {
      assert.throws(() => parse(Buffer.from(text.replace('"AQI="', other))), { code: 'ROOT_INVALID' })
    }
  })

  test('refuses to be unsigned, clear-signed or too large', () => {
    assert.throws(() => parse(Buffer.from('{"payload":"AQI=","signatures":[]}')), { code: 'ROOT_INVALID' })
    assert.throws(() => parse(Buffer.from('-----BEGIN PGP SIGNED MESSAGE-----\n')), { code: 'ROOT_INVALID' })
    assert.throws(() => parse(Buffer.alloc(1001)), { code: 'ROOT_INVALID' })
  })
})

function parse(bytes: Uint8Array) {
  return parseSignedFile(bytes, 'ROOT_INVALID', 'The file', 1000)
}
