import assert from 'node:assert/strict'
import { unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { translateFailure } from '../../src/cli/translate.ts'
import { isVmpkgError, VmpkgError } from '../../src/errors.ts'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

function translated(error: unknown): VmpkgError {
  const result = translateFailure(error)
  assert.ok(result instanceof VmpkgError, String(result))
  assert.equal(result.cause, error)
  assert.ok(result.hint)
  return result
}

test('a refusal of libvirt is LIBVIRT_FAILED in its own words, with the name of its code and of the procedure', () => {
  const refusal = {
    code: 38,
    domain: 10,
    message: "Cannot frob storage file '/x':\nNo such luck",
    level: 2,
    int1: 2,
    int2: 0,
    texts: [],
  }
  const { code, message, details } = translated(new LibvirtError(refusal, { procedure: 'DOMAIN_CREATE' }))
  assert.equal(code, 'LIBVIRT_FAILED')
  assert.equal(message, "libvirt refused: Cannot frob storage file '/x': No such luck")
  assert.deepEqual(details, { libvirt: 'systemError', domain: 10, procedure: 'DOMAIN_CREATE' })
})

test('a refusal for lack of rights says how to get them', () => {
  const { hint } = translated(
    new LibvirtError({ code: 88, domain: 0, message: 'access denied', level: 2, int1: 0, int2: 0, texts: [] }),
  )
  assert.match(hint ?? '', /group libvirt/)
})

const inactive = { code: 55, domain: 19, message: "network 'lan' is not active", level: 2, int1: 0, int2: 0, texts: [] }

test('a known refusal of libvirt comes with its fix and the id of the known error', () => {
  const { code, hint, details } = translated(new LibvirtError(inactive))
  assert.equal(code, 'LIBVIRT_FAILED')
  assert.match(hint ?? '', /virsh net-start/)
  assert.equal(details['known'], 'KNOWN-ERR-45')
})

test('a failure with a known refusal below it takes its fix only where it has no hint of its own', () => {
  const cause = new LibvirtError(inactive)
  const bare = translateFailure(new VmpkgError('NETWORK_UNAVAILABLE', 'no network', { cause }))
  assert.ok(bare instanceof VmpkgError)
  assert.deepEqual([bare.code, bare.details['known']], ['NETWORK_UNAVAILABLE', 'KNOWN-ERR-45'])
  const advised = new VmpkgError('NETWORK_UNAVAILABLE', 'no network', { cause, hint: 'Do that.' })
  assert.equal(translateFailure(advised), advised)
})

test('a connection that broke is LIBVIRT_UNREACHABLE', () => {
  const { code, message } = translated(new ConnectionClosed('libvirt closed the connection'))
  assert.equal(code, 'LIBVIRT_UNREACHABLE')
  assert.match(message, /libvirt closed the connection/)
})

test('a real missing right names the path', async () => {
  const error = await unlink('/proc/self/mounts').then(
    () => assert.fail('/proc/self/mounts was removed'),
    (cause: unknown) => cause,
  )
  const { code, message, details } = translated(error)
  assert.equal(code, 'NO_RIGHTS')
  assert.match(message, /"\/proc\/self\/mounts" \(E/)
  assert.equal(details['path'], '/proc/self/mounts')
})

test('a real full disk is NO_SPACE', async () => {
  const error = await writeFile('/dev/full', 'x').then(
    () => assert.fail('/dev/full took something'),
    (cause: unknown) => cause,
  )
  assert.equal(translated(error).code, 'NO_SPACE')
})

test('an error of the disk itself is DISK_FAILED, from SQLite as well; a database that another one writes to LOCK_HELD', () => {
  const failed = Object.assign(new Error('EIO'), { code: 'EIO', path: '/x' })
  assert.equal(translated(failed).code, 'DISK_FAILED')
  assert.match(translated(failed).message, /"\/x"/)
  const codes = [10, 10 + 256, 5].map(
    (errcode) => translated(Object.assign(new Error('sqlite'), { code: 'ERR_SQLITE_ERROR', errcode })).code,
  )
  assert.deepEqual(codes, ['DISK_FAILED', 'DISK_FAILED', 'LOCK_HELD'])
})

test('a database that cannot grow is NO_SPACE, one that is read-only NO_RIGHTS', async (t) => {
  const path = join(await makeTempFolder(t), 'a.db')
  const database = new DatabaseSync(path)
  database.exec('CREATE TABLE a (b); PRAGMA max_page_count = 2')
  const full = caught(() => database.exec('INSERT INTO a VALUES (zeroblob(100000))'))
  database.close()
  assert.equal(translated(full).code, 'NO_SPACE')
  const noIndex = Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 4874 })
  assert.equal(translated(noIndex).code, 'NO_SPACE')
  const readOnly = new DatabaseSync(path, { readOnly: true })
  const refused = caught(() => readOnly.exec('INSERT INTO a VALUES (1)'))
  readOnly.close()
  assert.equal(translated(refused).code, 'NO_RIGHTS')
})

test('coded failures and faults of vmpkg itself stay what they are', () => {
  for (const error of [new VmpkgError('USAGE', 'x'), new TypeError('x'), 'text', undefined]) {
    assert.equal(translateFailure(error), error)
  }
  assert.equal(isVmpkgError(translateFailure(new Error('x'))), false)
})

function caught(run: () => void): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return assert.fail('nothing was thrown')
}
