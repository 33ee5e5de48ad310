import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPrivateHost, type PrivateHost } from '../../src/host/private-host-record.ts'
import { startPrivateHost, waitForPrivateHost } from '../../src/host/private-host-start.ts'
import { killPrivateHost, stopPrivateHost } from '../../src/host/private-host-stop.ts'
import { isProcessAlive } from '../../src/host/process-identity.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { realProcesses } from '../support/real-processes.ts'

const skip = await privateHostMissing()

/** The processes whose namespace of the given kind is the one named. */
async function processesIn(kind: 'pid' | 'net' | 'mnt', namespace: string): Promise<string[]> {
  const members: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const link = await readlink(`/proc/${pid}/ns/${kind}`).catch(() => '')
    if (link === namespace) members.push(pid)
  }
  return members
}

describe('stopPrivateHost', { skip }, () => {
  let dir: string
  const folders = () => ({ durableDir: join(dir, 'd'), runtimeDir: join(dir, 'r'), processes: realProcesses })
  const start = (name: string): Promise<PrivateHost> =>
    startPrivateHost({ name, ...folders(), uplink: 'none', emit: () => {} })

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vmpkg-stop-'))
  })
  after(() => rm(dir, { recursive: true, force: true }))

  test('leaves no process, no interface, no mount and no runtime folder', async () => {
    const linksBefore = (await realProcesses.run('ip', ['-brief', 'link'])).stdout
    const mountsBefore = await readFile('/proc/self/mountinfo', 'utf8')
    const host = await start('clean')
    const kinds = ['pid', 'net', 'mnt'] as const
    const namespaces = await Promise.all(kinds.map((kind) => readlink(`/proc/${host.pid}/ns/${kind}`)))
    const inside = await processesIn('net', namespaces[1] ?? '')
    assert.ok(inside.length >= 3, `tini, virtlogd and libvirtd at least, not ${inside.length}`)

    assert.equal(await stopPrivateHost({ name: 'clean', ...folders() }), true)
    for (const [index, kind] of kinds.entries()) assert.deepEqual(await processesIn(kind, namespaces[index] ?? ''), [])
    assert.equal((await realProcesses.run('ip', ['-brief', 'link'])).stdout, linksBefore)
    assert.equal(await readFile('/proc/self/mountinfo', 'utf8'), mountsBefore)
    assert.deepEqual(await readdir(folders().runtimeDir), [])
    await access(join(folders().durableDir, 'clean', 'cache', 'qemu')) // what costs time to find out is kept
    assert.equal(await stopPrivateHost({ name: 'clean', ...folders(), removeDurable: true }), false)
    assert.deepEqual(await readdir(folders().durableDir), [])
  })

  test('waits for a supervisor that takes its time to end', async () => {
    const [program, trace] = [join(dir, 'slow'), join(dir, 'trace')]
    const ends = `trap 'sleep 2; echo ended >>"${trace}"; exit' TERM`
    await writeFile(program, `${ends}\necho began >>"${trace}"\nwhile :; do sleep 0.1; done\n`)
    const supervisor = { program: ['/bin/sh', program] as const, connection: 'private:slow', env: {} }
    await startPrivateHost({ name: 'slow', ...folders(), uplink: 'none', supervisor, emit: () => {} })
    for (let tries = 0; tries < 250 && (await readFile(trace, 'utf8').catch(() => '')) === ''; tries++) await sleep(20)
    assert.equal(await stopPrivateHost({ name: 'slow', ...folders(), removeDurable: true }), true)
    assert.equal(await readFile(trace, 'utf8'), 'began\nended\n')
  })

  test('cleans up after a first process that was killed', async () => {
    const host = await start('killed')
    await killPrivateHost(host, realProcesses)
    assert.equal(await isProcessAlive(host), false)
    assert.equal(await findPrivateHost('killed', folders()), undefined)
    await assert.rejects(waitForPrivateHost(host, folders()), { code: 'PRIVATE_HOST_FAILED', message: /ended/ })
    assert.equal(await findPrivateHost('killed', folders()), undefined)
    assert.equal(await stopPrivateHost({ name: 'killed', ...folders(), removeDurable: true }), false)
    assert.deepEqual(await readdir(folders().runtimeDir), [])
  })

  test('does not touch a process that has the number of a dead host', async () => {
    const bystander = spawn('sleep', ['60'], { stdio: 'ignore' })
    const own = join(folders().runtimeDir, 'reused')
    await mkdir(own, { recursive: true, mode: 0o700 })
    const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    const record = { bootId, durableFolder: join(dir, 'd', 'reused'), uplink: 'none', rootless: false }
    const line = `${bystander.pid} (tini) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0`
    await writeFile(join(own, 'record'), `${line}\n${JSON.stringify(record)}\n`)
    assert.equal(await stopPrivateHost({ name: 'reused', ...folders() }), false)
    assert.equal(bystander.exitCode, null)
    assert.equal(bystander.signalCode, null)
    bystander.kill()
    await once(bystander, 'exit')
  })

  test('is not needed when the process that started a test host dies: the host and its folder go too', async () => {
    const script = `
      import { startTestHost } from ${JSON.stringify(import.meta.resolve('../support/private-host.ts'))}
      const { host, dir } = await startTestHost()
      console.log(JSON.stringify([String(host.pid), String(host.startTime), dir]))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const line = await new Promise<string>((resolve) => child.stdout.setEncoding('utf8').once('data', resolve))
    const found = /^\["(\d+)","(\d+)","(.*)"\]\n$/.exec(line)
    assert.ok(found)
    const identity = { pid: Number(found[1]), startTime: Number(found[2]) }
    assert.equal(await isProcessAlive(identity), true)
    child.kill('SIGKILL')
    const isThere = (): Promise<boolean> =>
      access(found[3] ?? '').then(
        () => true,
        () => false,
      )
    for (let tries = 0; tries < 200 && ((await isProcessAlive(identity)) || (await isThere())); tries++) await sleep(50)
    assert.equal(await isProcessAlive(identity), false)
    assert.equal(await isThere(), false)
  })
})
