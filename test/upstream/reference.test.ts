import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readCertificate } from '../../src/trust/certificate.ts'
import { compareUpstreamVersions, resolveUpstream, sortVersions } from '../../src/upstream/reference.ts'
import { parseVendors } from '../../src/upstream/vendors.ts'

const KEYS = join(import.meta.dirname, '..', '..', 'keys')
const vendors = parseVendors(readFileSync(join(KEYS, 'vendors.yaml'), 'utf8'))

describe('the vendors that ship', () => {
  test('each has a certificate for every pinned fingerprint, and there are no others', async () => {
    const pinned = [...vendors.values()].flatMap(({ keys }) => keys.map(({ fingerprint }) => fingerprint))
    const files = readdirSync(KEYS).filter((name) => name.endsWith('.asc'))
    assert.deepEqual(files.toSorted(), pinned.map((one) => `${one}.asc`).toSorted())
    for (const file of files) {
      const { fingerprint, key } = await readCertificate(readFileSync(join(KEYS, file), 'utf8'))
      assert.equal(`${fingerprint}.asc`, file)
      assert.equal(key.isPrivate(), false)
    }
  })

  test('each flavour has at least three versions (PKG-5), and every one of them resolves', () => {
    for (const [name, { flavours }] of vendors) {
      for (const [flavour, { versions, arches }] of Object.entries(flavours)) {
        assert.ok(versions.length >= 3, `${name} ${flavour}`)
        for (const version of versions) {
          for (const arch of ['amd64', 'arm64'] as const) {
            if (arches[arch] === undefined) continue
            const { image, checksums, keys } = resolveUpstream(vendors, `${name}:${version}:${flavour}`, arch)
            assert.doesNotMatch(image + checksums, /[{}]/)
            assert.ok(keys.length > 0)
          }
        }
      }
    }
  })
})

describe('resolveUpstream', () => {
  test('fills in branches, majors, code names and architectures', () => {
    assert.equal(
      resolveUpstream(vendors, 'alpine:3.21.2:virt').image,
      'v3.21/releases/x86_64/alpine-virt-3.21.2-x86_64.iso',
    )
    assert.equal(
      resolveUpstream(vendors, 'fedora:44-1.7', 'arm64').checksums,
      '44/Cloud/aarch64/images/Fedora-Cloud-44-1.7-aarch64-CHECKSUM',
    )
    assert.equal(
      resolveUpstream(vendors, 'ubuntu:24.04:minimal').image,
      'noble/release/ubuntu-24.04-minimal-cloudimg-amd64.img',
    )
  })

  test('a release of Fedora counts the key of that release only', () => {
    assert.deepEqual(resolveUpstream(vendors, 'fedora:44-1.7').keys, ['36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6'])
  })

  test('the newest is the newest by version, not by text', () => {
    assert.equal(resolveUpstream(vendors, 'alpine:newest').version, '3.24.1')
  })

  test('refuses vendors, flavours, versions and architectures that are none', () => {
    for (const text of [
      '',
      'plan9:1',
      'alpine',
      'alpine:',
      'alpine:../x',
      'alpine:3.21.2:gui',
      'alpine:3.21.2:virt:x',
      'debian:99:cloud',
      'constructor:1',
      'alpine:3.21.2:constructor',
    ]) {
      assert.throws(() => resolveUpstream(vendors, text), { code: 'UPSTREAM_UNKNOWN' }, text)
    }
    assert.throws(() => resolveUpstream(vendors, 'ubuntu:24.04.3:server', 'arm64'), { code: 'UPSTREAM_UNKNOWN' })
  })
})

describe('versions of vendors (PKG-5)', () => {
  test('3.9 is older than 3.10, and 3.10 older than 3.21.2', () => {
    assert.deepEqual(sortVersions(['3.21.2', '3.10', '3.9']), ['3.9', '3.10', '3.21.2'])
    assert.deepEqual(sortVersions(['44-1.7', '41-1.4', '43-1.6']), ['41-1.4', '43-1.6', '44-1.7'])
  })

  test('numbers compare as numbers wherever they stand, and the order is total', () => {
    const version = fc.array(fc.nat(400), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(version, version, (a, b) => {
        const [one, other] = [a.join('.'), b.join('.')]
        const byNumbers = a.map((part, i) => part - (b[i] ?? -1)).find((part) => part !== 0) ?? a.length - b.length
        assert.equal(Math.sign(compareUpstreamVersions(one, other)), Math.sign(byNumbers))
        // Of equal ones the sign is 0 both ways, and 0 is not -0.
        assert.equal(Math.sign(compareUpstreamVersions(one, other)) + Math.sign(compareUpstreamVersions(other, one)), 0)
      }),
    )
  })
})
