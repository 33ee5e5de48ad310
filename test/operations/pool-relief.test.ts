/** Members of pools in libvirt's own test driver: who is ours, who goes first, and what goes with them. */
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { newUuid } from '../../src/domain/identity.ts'
import { listPooled, newPoolName } from '../../src/domain/inventory.ts'
import type { Connect } from '../../src/libvirt/connect.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { DomainFacts } from '../../src/model/libvirt-facts.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { ownAttendant } from '../../src/operations/pool-member.ts'
import {
  endUnattended,
  isUnattended,
  listOwnMembers,
  makeRoom,
  readHeld,
  relieve,
} from '../../src/operations/pool-relief.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { formatDomainFacts } from '../../src/render/facts-xml.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { startPrivateLibvirt } from '../support/private-libvirt.ts'

const { randomness } = systemOutside({ emit: () => {}, signal: new AbortController().signal, env: {}, offline: false })
const MIB = 1024 ** 2

describe('members of pools', () => {
  let daemon: Awaited<ReturnType<typeof startPrivateLibvirt>>
  before(async () => {
    daemon = await startPrivateLibvirt()
  })
  after(() => daemon.stop())

  const open = async (t: TestContext): Promise<{ workspace: Workspace; connect: Connect }> => {
    const workspace = await openLocalWorkspace(t, { connect: daemon.uri('test:///default') })
    const connect = await workspace.connect()
    for (const { domain } of await listPooled(connect)) await domain.destroy() // the daemon's, of the test before
    await mkdir(workspace.connectionPaths.memory, { recursive: true })
    return { workspace, connect }
  }

  /** One that runs, with a disk of 1 MiB in memory. */
  const stand = async (
    { workspace, connect }: { workspace: Workspace; connect: Connect },
    day: number,
    more: Partial<DomainFacts>,
    folder = workspace.connectionPaths.memory,
  ): Promise<string> => {
    const [uuid, name] = [newUuid(randomness), newPoolName(randomness)]
    const [overlay, medium] = [join(folder, `${uuid}.qcow2`), join(folder, `${uuid}.iso`)]
    await mkdir(folder, { recursive: true })
    await writeFile(overlay, Buffer.alloc(MIB, 1))
    await writeFile(medium, 'medium')
    const facts: DomainFacts = {
      package: 'app-x',
      version: '1.0',
      digest: sha256('x'),
      origin: 'test',
      createdAt: `2026-11-0${day}T00:00:00Z`,
      kind: 'app',
      ephemeral: true,
      storage: 'ram',
      overlay,
      medium,
      parameters: {},
      ...more,
    }
    const rest = `<metadata>${formatDomainFacts(facts)}</metadata><memory>8192</memory><os><type>hvm</type></os>`
    await connect.domainCreateXML({
      xml: `<domain type='test'><name>${name}</name><uuid>${uuid}</uuid>${rest}</domain>`,
    })
    return name
  }

  test('are those of this root, the oldest first; those of another root are not ours to end', async (t) => {
    const place = await open(t)
    const younger = await stand(place, 2, { pool: 'ready' })
    const older = await stand(place, 1, { pool: 'ready' })
    const foreign = await stand(place, 3, { pool: 'ready' }, join(place.workspace.paths.state, 'elsewhere'))
    const names = async () => (await listOwnMembers(place.workspace, place.connect)).map(({ name }) => name)
    assert.deepEqual(await names(), [older, younger])
    const [first] = await listOwnMembers(place.workspace, place.connect)
    const { heldBytes } = await readHeld(first ?? assert.fail())
    assert.equal(await relieve(place.workspace, place.connect, 1024 * MIB), 0, 'it would not help')
    assert.equal(await relieve(place.workspace, place.connect, heldBytes + 1), 2)
    assert.deepEqual(
      (await listPooled(place.connect)).map(({ name }) => name),
      [foreign],
    )
    assert.deepEqual(await readdir(place.workspace.connectionPaths.memory), [])
  })

  test('go for memory that is needed, as few as that takes, with their files and without a trace in the journal', async (t) => {
    const place = await open(t)
    const { workspace, connect } = place
    for (const day of [1, 2, 3]) await stand(place, day, { pool: 'ready' })
    const taken = await stand(place, 1, { alias: 'browser' })
    const members = await listOwnMembers(workspace, connect)
    const held = await Promise.all(members.map(async (one) => (await readHeld(one)).heldBytes))
    assert.ok(held.every((bytes) => bytes >= MIB))
    const memory = async () => ({ totalBytes: 100 * MIB, availableBytes: 10 * MIB, stalledPercent: 0 })
    assert.equal(await makeRoom(workspace, connect, 10 * MIB, memory), 0)
    await workspace.unlock()
    assert.equal(await makeRoom(workspace, connect, 90 * MIB, memory), 0, 'without the lock')
    await workspace.lock()
    assert.equal(await makeRoom(workspace, connect, 10 * MIB + (held[0] ?? 0) + 1, memory), 2)
    const left = (await listPooled(connect)).map(({ domain }) => domain.name)
    assert.deepEqual(left.toSorted(), [members[2]?.name ?? '', taken].toSorted())
    assert.equal((await readdir(workspace.connectionPaths.memory)).length, 4)
    assert.deepEqual(workspace.journal.pending(), [])
  })

  test('and machines that belong to a process end when that is gone, and only then', async (t) => {
    const place = await open(t)
    const gone = ownAttendant().replace(/ \d+ /, ' 1 ')
    assert.deepEqual([isUnattended({ attendant: gone }), isUnattended({ attendant: ownAttendant() })], [true, false])
    assert.equal(isUnattended({}), false)
    await stand(place, 1, { pool: 'filling', attendant: gone })
    await stand(place, 2, { alias: 'window', attendant: gone })
    const stays = [
      await stand(place, 3, { pool: 'filling', attendant: ownAttendant() }),
      await stand(place, 4, { alias: 'browser' }),
      await stand(place, 5, { pool: 'ready' }),
    ]
    assert.equal(await endUnattended(place.workspace, place.connect), 2)
    const left = (await listPooled(place.connect)).map(({ domain }) => domain.name)
    assert.deepEqual(left.toSorted(), stays.toSorted())
  })
})
