/**
 * Leak cases J: what a guest wrote is looked for in every block of the file system that holds all of the host's state, after
 * it ended, was killed, or lost its power with the host. Each case has a control in which the same scan finds the same text.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { privateHostMissing } from '../support/private-host.ts'
import { findInMemory } from '../support/process-memory.ts'
import { newMark, scribe, WRITTEN_BYTES } from '../support/scribe.ts'
import { makeSite, type Site } from '../support/site.ts'
import { makeVolume, type Volume, volumeMissing } from '../support/volume.ts'

const HOST = 'eph-residue'
const APP = 'app-scribe'
const CONTROL = 'app-control'
/** How libvirt hands a passphrase to QEMU. */
const WRAPPED = /"keyid":"masterKey0"/

describe('ephemeral', { timeout: 240_000, skip: (await privateHostMissing()) || volumeMissing() }, () => {
  const [mark, kept] = [newMark(), newMark()]
  let volume: Volume
  let site: Site

  before(async () => {
    volume = await makeVolume()
    site = await makeSite(HOST, [scribe(APP, mark), scribe(CONTROL, kept)], volume.root)
    await site.cli.ok(['install', '-y', APP, CONTROL])
  })

  after(async () => {
    await site?.close()
    await volume?.close()
  })

  const memory = () => join(volume.root, 'run', 'vmpkg', 'private', HOST, 'machines')
  const logs = () => join(volume.root, 'var', 'lib', 'vmpkg', 'private', HOST, 'log', 'qemu')

  /** All that a machine may leave, by virsh and the file system. */
  async function inventory(): Promise<unknown> {
    const secrets = (await site.virsh('secret-list')).split('\n').filter((line) => /[0-9a-f]{8}-/.test(line))
    const names = async (folder: string): Promise<string[]> => readdir(folder).catch(() => [])
    return { ...(await site.observe()), secrets, memory: await names(memory()), logs: await names(logs()) }
  }

  /** Makes a machine and waits until its guest has written all that it writes. */
  async function makeAndWrite(
    app: string,
    name: string,
    ...words: readonly string[]
  ): Promise<Record<string, unknown>> {
    const made = await site.cli.json(['clone', app, '--name', name, ...words])
    for (let tries = 0; tries < 200; tries++) {
      const told = await site.virsh('domblkstat', name, 'vda')
      if (Number(/wr_bytes (\d+)/.exec(told)?.[1]) >= WRITTEN_BYTES) return made
      await sleep(100)
    }
    throw new Error(`${name} has not written`)
  }

  /** Its QEMU, as the machine outside numbers it. */
  async function qemuOf(name: string): Promise<number> {
    for (const entry of await readdir('/proc')) {
      const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')
      if (line.includes(`guest=${name},`) && line.includes('qemu-system')) return Number(entry)
    }
    throw new Error(`no QEMU runs ${name}`)
  }

  /** Files of the state that have a text in them or in their names. */
  function filesNaming(text: string): readonly string[] {
    const run = (program: string, ...args: readonly string[]): string =>
      spawnSync(program, args, { encoding: 'utf8' }).stdout
    const found = run('grep', '-rlaF', '--', text, volume.root) + run('find', volume.root, '-name', `*${text}*`)
    return found.split('\n').filter((line) => line !== '')
  }

  test('a kept machine and a transient one leave on the disk what they wrote: by that the scan is known to find it', async (t) => {
    const clean = await inventory()
    const written = await volume.writtenBytes()
    await makeAndWrite(CONTROL, 'kept-one')
    assert.ok((await volume.writtenBytes()) - written >= WRITTEN_BYTES)
    assert.ok(await volume.holds(kept))
    await site.cli.ok(['rm', '-y', '--force', 'kept-one'])
    assert.notDeepEqual(filesNaming('kept-one'), [])
    assert.ok(await volume.holds(kept))
    const { mode } = await makeAndWrite(CONTROL, 'passing', '--ephemeral', '--mode', 'transient')
    assert.equal(mode, 'transient')
    await site.cli.ok(['stop', 'passing'])
    assert.deepEqual(await inventory(), { ...(clean as object), logs: ['kept-one.log'] })
    t.diagnostic(`the volume holds ${kept.toString()}`)
  })

  test('J1, J3, J8: by default it writes to memory, and leaves neither text nor name on the disk', async (t) => {
    const clean = await inventory()
    const written = await volume.writtenBytes()
    const { mode, uuid } = await makeAndWrite(APP, 'amnesia', '--ephemeral')
    assert.equal(mode, 'ram')
    const overlay = join(memory(), `${String(uuid)}.qcow2`)
    assert.ok((await readFile(overlay)).includes(mark), 'it has written nothing')
    assert.match(await readlink(join(logs(), 'amnesia.log')), /\.qemu\.log$/)
    assert.match(await readFile(join(memory(), `${String(uuid)}.qemu.log`), 'utf8'), /guest=amnesia/)
    const more = (await volume.writtenBytes()) - written
    t.diagnostic(`${more} bytes were written to the disk meanwhile`)
    assert.ok(more < WRITTEN_BYTES / 2)
    assert.equal(await volume.holds(mark), false)
    await site.cli.ok(['stop', 'amnesia'])
    assert.deepEqual(await inventory(), clean)
    assert.equal(await volume.holds(mark), false)
    const { status } = await site.cli.run(['stop', 'amnesia'])
    assert.equal(status, 100)
    assert.deepEqual(filesNaming('amnesia'), [])
  })

  test('J4: when its QEMU is killed, gc leaves nothing of it', async () => {
    const clean = await inventory()
    await makeAndWrite(APP, 'killed', '--ephemeral', '--mode', 'encrypted')
    process.kill(await qemuOf('killed'), 'SIGKILL')
    await waitUntil(async () => !(await site.virsh('list', '--all', '--name')).includes('killed'))
    assert.notDeepEqual(await inventory(), clean)
    await site.cli.ok(['gc'])
    assert.deepEqual(await inventory(), clean)
    assert.equal(await volume.holds(mark), false)
  })

  test('J7: an encrypted one writes to the disk, but nothing that can be read, and no key', async () => {
    const clean = await inventory()
    const written = await volume.writtenBytes()
    const { mode, uuid } = await makeAndWrite(APP, 'cipher', '--ephemeral', '--mode', 'encrypted')
    assert.equal(mode, 'encrypted')
    assert.ok((await volume.writtenBytes()) - written >= WRITTEN_BYTES)
    const secret = await site.virsh('secret-dumpxml', String(uuid))
    assert.match(secret, /<secret ephemeral='yes' private='yes'>/)
    await assert.rejects(site.virsh('secret-get-value', String(uuid)), /private/)
    assert.match(await site.virsh('dumpxml', 'cipher'), /<memory [^>]*dumpCore='off'/)
    const found = await findInMemory(await qemuOf('cipher'), mark)
    assert.ok(found.length > 0, 'its guest has the text in memory')
    // What the kernel leaves out of a core (J2); what goes to swap: npm run soak -- residue.
    assert.deepEqual(
      found.filter(({ flags }) => !flags.includes('dd')),
      [],
    )
    assert.equal(await volume.holds(mark), false)
    // The command line of QEMU has the key, wrapped in another one that libvirt keeps in a file.
    assert.match(await readFile(join(memory(), `${String(uuid)}.qemu.log`), 'utf8'), WRAPPED)
    assert.equal(await volume.holds(Buffer.from('masterKey0')), true, 'the control: a kept machine')
    await site.cli.ok(['stop', 'cipher'])
    assert.deepEqual(await inventory(), clean)
  })

  test('J5: after a power cut nothing can be read, and the next machine clears away what is left', async (t) => {
    const clean = await inventory()
    const { uuid } = await makeAndWrite(APP, 'cut-off', '--ephemeral', '--mode', 'encrypted')
    await makeAndWrite(APP, 'cut-too', '--ephemeral', '--mode', 'ram')
    await site.cli.ok(['host', 'private', 'stop', HOST]) // kill -9 of libvirtd, of QEMU, of all
    await volume.loseMemory()
    assert.equal(await volume.holds(mark), false)
    const overlays = join(volume.root, 'var/lib/vmpkg/connections', `private-${HOST}`, 'overlays')
    assert.deepEqual(await readdir(overlays), [`${String(uuid)}.qcow2`])
    const began = performance.now()
    await site.cli.ok(['clone', APP, '--name', 'next', '--ephemeral', '--mode', 'transient'])
    t.diagnostic(`${Math.round(performance.now() - began)} ms for the host, the clearing and the next machine`)
    assert.deepEqual((await readdir(overlays)).length, 1)
    assert.equal((await readdir(overlays)).includes(`${String(uuid)}.qcow2`), false)
    await site.cli.ok(['stop', 'next'])
    assert.deepEqual(await inventory(), clean)
  })

  test('with --autodestroy it ends with the command, however that ends', async () => {
    const clean = await inventory()
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const running = site.cli.start(['clone', APP, '--name', 'held', '--ephemeral', '--autodestroy'], '')
      await running.said(/held/)
      assert.match(await site.virsh('list', '--name'), /held/)
      running.kill(signal)
      await running.done
      await waitUntil(async () => !(await site.virsh('list', '--all', '--name')).includes('held'))
      // Of a killed one the files go a moment later, without another command.
      await waitUntil(async () => isDeepStrictEqual(await inventory(), clean), 400).catch(() => {})
      assert.deepEqual(await inventory(), clean, signal)
    }
  })

  test('a mode that cannot be had is refused with the reason, and none is taken for another', async () => {
    const clean = await inventory()
    const refuse = async (words: readonly string[]) => {
      const { status, stderr } = await site.cli.run(['clone', APP, ...words, '--json'])
      assert.notEqual(status, 0)
      return (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { code: string }).code
    }
    const big = ['--ephemeral', '--mode', 'ram', '--set', 'memory=1GiB', '--count', '40']
    assert.equal(await refuse(big), 'NO_SPACE')
    assert.equal(await refuse(['--ephemeral', '--mode', 'disk']), 'USAGE')
    assert.equal(await refuse(['--mode', 'ram']), 'USAGE')
    assert.equal(await refuse(['--autodestroy']), 'USAGE')
    assert.deepEqual(await inventory(), clean)
  })

  async function waitUntil(isSo: () => Promise<boolean>, times = 100): Promise<void> {
    for (let tries = 0; tries < times; tries++) {
      if (await isSo()) return
      await sleep(50)
    }
    throw new Error('it did not come to that')
  }
})
