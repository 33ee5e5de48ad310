/**
 * Every procedure of the tables, and every event, against real daemons: libvirtd 9.0 as a session's and as the system's
 * daemon, libvirtd 11.3 out of a Debian 13 tree (test/support/libvirt-tree.ts says where it is kept and how it is removed),
 * and by hand virtqemud (`VMPKG_TEST_VIRTQEMUD=/path/of/virtqemud`) and 12.8 (`VMPKG_TEST_LIBVIRT_SUITES=trixie,forky`).
 *
 * test/support/procedure-cases holds the cases by object, and `expectations.ts` the verdict on each procedure and daemon:
 * a procedure that fails or succeeds otherwise fails the test. To add a procedure, call it in a case.
 * With `--write` only docs/libvirt-procedures.md is written, which is made of the verdicts.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { type EventName, events } from '../../src/libvirt/events.ts'
import { type DaemonSpec, daemons, expectedHere, unseenHere } from '../support/procedure-cases/expectations.ts'
import { formatPage } from '../support/procedure-cases/page.ts'
import { procedures } from '../support/procedure-cases/procedures.ts'
import { runExercise } from '../support/procedure-cases/run.ts'
import { complaints, isDecoded } from '../support/procedure-cases/verdicts.ts'

const PAGE = new URL('../../docs/libvirt-procedures.md', import.meta.url)
/** The procedures that a manager of domains uses; of these most must be seen to succeed. */
const MAIN = new URL('../fixtures/libvirt-main-procedures.txt', import.meta.url)
const MAIN_AT_LEAST = 205
const LIMIT_MS = 600_000
const isWriting = process.argv.includes('--write')

const decodedBy = (daemon: DaemonSpec) =>
  [...procedures].filter(([name, row]) => isDecoded(expectedHere(daemon, name, row))).map(([name]) => name)

describe('procedures on real daemons', { timeout: LIMIT_MS }, () => {
  for (const daemon of daemons) {
    const skip = isWriting ? 'only the page is written' : daemon.skip
    test(`${daemon.name} answers every procedure and tells every event as its verdicts say`, { skip }, async (t) => {
      const outcome = await runExercise(daemon.start)
      assert.deepEqual(outcome.failures, [])
      assert.equal(Math.floor(outcome.version / 1000), releaseNumber(daemon.release))
      assert.deepEqual(
        complaints(outcome.notes, (name, row) => expectedHere(daemon, name, row)),
        [],
      )
      const missing = (Object.keys(events) as EventName[]).filter(
        (name) => unseenHere(daemon, name) === undefined && !outcome.events.has(name),
      )
      assert.deepEqual(missing, [], 'these events did not come')
      const decoded = decodedBy(daemon).length
      t.diagnostic(`${daemon.name}: ${decoded} of ${procedures.size} procedures, ${outcome.events.size} events decoded`)
      assert.ok(decoded >= daemon.atLeast, `${decoded} decoded are fewer than ${daemon.atLeast}`)
    })
  }

  test(`over the daemons that run here at least ${MAIN_AT_LEAST} of the 230 main procedures succeed`, async (t) => {
    const running = daemons.filter(({ skip }) => skip === false)
    if (running.length === 0) return t.skip('no daemon runs here')
    const seen = new Set(running.flatMap(decodedBy))
    const main = (await readFile(MAIN, 'utf8')).trim().split('\n')
    assert.equal(main.length, 230)
    const succeeded = main.filter((name) => seen.has(name))
    t.diagnostic(`${succeeded.length} of the 230 main procedures, ${seen.size} of all ${procedures.size}`)
    assert.ok(succeeded.length >= MAIN_AT_LEAST, `only ${succeeded.length}`)
  })
})

test('docs/libvirt-procedures.md tells the verdict on every procedure and event', async () => {
  const page = formatPage(daemons)
  if (isWriting) await writeFile(PAGE, page)
  assert.equal(await readFile(PAGE, 'utf8'), page)
})

function releaseNumber(release: string): number {
  const [major = 0, minor = 0] = release.split('.').map(Number)
  return major * 1000 + minor
}
