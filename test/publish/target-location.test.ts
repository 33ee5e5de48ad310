import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { isRemoteTarget, parseTarget } from '../../src/publish/target-location.ts'

describe('parseTarget', () => {
  test('takes folders as they are written, colons and all', () => {
    for (const text of ['./registry', '/srv/www', 'host:path', 'C:x', 'sftp:/x']) {
      assert.deepEqual(parseTarget(text), { kind: 'folder', name: text, folder: text })
      assert.equal(isRemoteTarget(text), false)
    }
  })

  test('takes sftp and rsync over ssh, absolute or below the home folder', () => {
    const plain = { host: 'h.example', user: undefined, port: undefined, keyfile: undefined, knownHosts: undefined }
    assert.deepEqual(parseTarget('sftp://h.example/srv/www/'), {
      kind: 'sftp',
      name: 'sftp://h.example/srv/www/',
      place: { ...plain, path: '/srv/www' },
    })
    const full = parseTarget('rsync+ssh://me@[::1]:2222/~/a%20b?keyfile=/k&known_hosts=/n')
    assert.deepEqual(full, {
      kind: 'rsync+ssh',
      name: 'rsync+ssh://me@[::1]:2222/~/a%20b',
      place: { host: '[::1]', user: 'me', port: 2222, path: 'a b', keyfile: '/k', knownHosts: '/n' },
    })
  })

  test('takes rsync daemons and buckets', () => {
    assert.deepEqual(parseTarget('rsync://me@h:873/module/x/'), {
      kind: 'rsync',
      name: 'rsync://me@h:873/module/x/',
      url: 'rsync://me@h:873/module/x',
    })
    const bucket = parseTarget('s3://my-bucket/a/b?endpoint=https://s3.example&region=eu-1')
    assert.ok(bucket.kind === 's3')
    assert.deepEqual(
      { ...bucket.place, endpoint: bucket.place.endpoint?.href },
      { bucket: 'my-bucket', prefix: 'a/b/', endpoint: 'https://s3.example/', region: 'eu-1' },
    )
  })

  test('takes OCI registries, in the clear on this host only', () => {
    const found = parseTarget('oci://registry.example:5000/team/vmpkg?mount=team/staging')
    assert.ok(found.kind === 'oci')
    const { server, ...place } = found.place
    assert.deepEqual(place, { repository: 'team/vmpkg', mountFrom: 'team/staging' })
    assert.deepEqual(
      [found.name, server.href],
      ['oci://registry.example:5000/team/vmpkg', 'https://registry.example:5000/'],
    )
    assert.equal(parseTarget('oci+http://localhost:5000/a').kind, 'oci')
  })

  test('refuses passwords, unknown schemes and parameters, options in disguise and plain http, without repeating them', () => {
    const wrong = [
      'sftp://me:secret@h/x',
      's3://KEY:secret@bucket/x',
      's3://KEY@bucket/x',
      'rsync://me:secret@h/m',
      'ftp://secret/x',
      'sftp://-oProxyCommand=secret/x',
      'sftp://-x@h/secret',
      'sftp://h',
      'sftp://h/a%2f..%2fsecret',
      'sftp://h/a%0asecret',
      'sftp://h/x?unknown=secret',
      'rsync://h/~/secret',
      's3://B/secret',
      's3://bucket/x?endpoint=http://secret.example',
      's3://bucket/a%20secret',
      'oci://me:secret@h/x',
      'oci://secret@h/x',
      'oci+http://secret.example/x',
      'oci://h/Secret-Upper',
      'oci://h/x?mount=Secret',
      'oci://secret',
    ]
    for (const text of wrong) {
      assert.throws(
        () => parseTarget(text),
        (error: Error) => isVmpkgError(error, 'USAGE') && !`${error.message} ${error.hint}`.includes('secret'),
        text,
      )
    }
  })

  test('any text is a place or a USAGE error', () => {
    const scheme = fc.constantFrom('sftp://', 'rsync://', 'rsync+ssh://', 's3://', 'oci://', 'oci+http://', '')
    fc.assert(
      fc.property(scheme, fc.string({ unit: 'binary' }), (begin, rest) => {
        try {
          parseTarget(begin + rest)
        } catch (error) {
          assert.ok(isVmpkgError(error, 'USAGE'), String(error))
        }
      }),
    )
  })
})
