/** The publishing verbs of the command line on remote places: results, dry runs, refusals, and what they never print. */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeCli } from '../support/cli.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { startPlace, withoutPlace } from '../support/publish-places.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { makeKey } from '../support/ssh-server.ts'

interface Uploaded {
  readonly uploaded: readonly { readonly path: string; readonly size: number }[]
}

test('publish, repo push, merge and resign work on sftp and in a bucket, and try first', {
  skip: withoutPlace('sftp'),
}, async (t) => {
  const cli = await makeCli('test:///default')
  t.after(async () => cli.close())
  await using sftp = await startPlace('sftp')
  await using bucket = await startPlace('s3-conditional')
  await using builder = await buildRegistry()
  const [keys, registry] = [join(cli.folder, 'keys'), join(cli.folder, 'registry')]
  for (const name of ['root', 'me', 'time']) await cli.ok(['key', 'generate', name, '--keys', keys, '--no-passphrase'])
  const roles = ['--root-key', 'root', '--publisher', 'me=*', '--promoter', 'root', '--timestamp', 'time']
  await cli.ok(['repo', 'init', registry, '--keys', keys, ...roles])
  const refused = await cli.run(['repo', 'init', sftp.address, '--keys', keys, ...roles])
  assert.match(refused.stderr, /E: A registry begins in a folder of this host \[USAGE\]/)

  const nothing = await cli.run(['repo', 'resign', sftp.address, '--keys', keys])
  assert.match(nothing.stderr, /There is no registry at sftp:.* \[REGISTRY_INVALID\]/)
  const planned = (await cli.json(['repo', 'push', registry, sftp.address, '--dry-run'])) as unknown as Uploaded
  assert.deepEqual(await readdir(sftp.folder ?? ''), [])
  const pushed = (await cli.json(['repo', 'push', registry, sftp.address])) as unknown as Uploaded
  assert.deepEqual(pushed.uploaded, planned.uploaded)

  const one = await builder.build({ name: 'app-one' })
  const publish = ['publish', sftp.address, one, '--keys', keys]
  const tried = (await cli.json([...publish, '--dry-run'])) as unknown as { place: Uploaded }
  const done = (await cli.json(publish)) as unknown as { place: Uploaded; kind: string }
  assert.equal(done.kind, 'published')
  assert.deepEqual(
    done.place.uploaded.map(({ path }) => path.replace(/\/.*/, '')).toSorted(),
    tried.place.uploaded.map(({ path }) => path.replace(/\/.*/, '')).toSorted(),
  )
  assert.match(await cli.ok(publish), /published already, nothing to do/)
  assert.match(await cli.ok(['repo', 'merge', sftp.address, '--keys', keys]), /No submissions/)
  assert.match(await cli.ok(['repo', 'resign', sftp.address, '--keys', keys]), /nothing to do/)

  const two = await builder.build({ name: 'app-two' })
  const args = ['publish', registry, two, '--keys', keys, '--to', bucket.address]
  const { status, stdout, stderr } = await cli.run(args, '', { env: bucket.env })
  assert.equal(status, 0, stderr)
  assert.match(stdout, /Published app-two 1\.0-1\ns3:\/\/registry\/some\/place has version 2 now/)
  for (const secret of Object.values(bucket.env).slice(0, 2)) assert.ok(!`${stdout}${stderr}`.includes(secret))
  const wrong = await cli.run(args, '', { env: { ...bucket.env, AWS_SECRET_ACCESS_KEY: 'other secret' } })
  assert.match(wrong.stderr, /refuses the key: 403 SignatureDoesNotMatch \[NO_RIGHTS\]/)
  assert.ok(!wrong.stderr.includes('other secret'))
  const both = await cli.run(['publish', sftp.address, two, '--keys', keys, '--to', bucket.address])
  assert.match(both.stderr, /\[USAGE\]/)
})

test('an unknown host key, a refused key and a server that is gone are told with the words of ssh', {
  skip: withoutPlace('sftp'),
}, async (t) => {
  const cli = await makeCli('test:///default')
  t.after(async () => cli.close())
  await using sftp = await startPlace('sftp')
  await using registry = await buildRegistry({ clock: fixedClock(new Date()) })
  const stranger = join(cli.folder, 'stranger')
  makeKey(stranger)
  const url = new URL(sftp.address)
  const variants: readonly (readonly [name: string, value: string, said: RegExp])[] = [
    ['known_hosts', '/dev/null', /Host key verification failed/],
    ['keyfile', stranger, /Permission denied \(publickey\)/],
  ]
  for (const [name, value, said] of variants) {
    const changed = new URL(url)
    changed.searchParams.set(name, value)
    const { status, stderr } = await cli.run(['repo', 'push', registry.folder, changed.href])
    assert.equal(status, 100)
    assert.match(stderr, /\[TARGET_FAILED\]/)
    assert.match(stderr, said)
  }
  await sftp[Symbol.asyncDispose]()
  const { stderr } = await cli.run(['repo', 'push', registry.folder, sftp.address])
  assert.match(stderr, /Connection refused.* \[TARGET_FAILED\]/s)
})
