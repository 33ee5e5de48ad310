/** Crashes in the middle of a change, and writes that tear (docs/threats.md, L01 and L02). All points: test/faults. */
import type { FaultWay, Operation } from '../faults/fault.ts'
import { SCENARIOS } from '../faults/scenarios.ts'
import { type FaultPoint, prepare, strike } from '../faults/sweep.ts'
import { makeWorld } from '../faults/world.ts'
import { threatCase } from '../support/threat-case.ts'

/** Runs a verb of the table with faults at the chosen operations. */
async function strikeAt(name: string, choose: (operation: Operation) => readonly FaultWay[]): Promise<void> {
  const scenario = SCENARIOS.find((one) => one.name === name)
  if (scenario === undefined) throw new TypeError(`no scenario ${name}`)
  const world = await makeWorld({ name: 'crashes', packages: [{ name: 'app-one' }, { name: 'app-two' }], host: false })
  try {
    const prepared = await prepare(scenario, world)
    const points = prepared.operations.flatMap((operation) =>
      choose(operation).map((way): FaultPoint => ({ operation, way })),
    )
    if (points.length === 0) throw new TypeError('no such operation')
    for (const point of points) await strike(prepared, point)
  } finally {
    await world.close()
  }
}

threatCase({
  id: 'L01',
  title: 'a key whose maker died between its two files is whole after the next command',
  attack: () =>
    strikeAt('key generate', ({ kind, path }) => (kind === 'rename' && path.endsWith('.secret.asc') ? ['after'] : [])),
  controls: [{ file: 'src/operations/gc.ts', find: '  await completeKeyFolder(keys)\n', replace: '' }],
})

threatCase({
  id: 'L01',
  title: 'an update that died between two statements has changed nothing in the package list',
  attack: () =>
    strikeAt('update, changed', ({ kind, path }) =>
      /catalogue/.test(path) && /^sql (DELETE FROM packages|INSERT INTO packages|INSERT INTO sources)/.test(kind)
        ? ['after']
        : [],
    ),
  controls: [
    {
      file: 'src/catalogue/catalogue.ts',
      find: 'return inTransactionAsync(this.#database, async () => {',
      replace: 'return ((run: () => Promise<{ readonly vanished: readonly VersionName[] }>) => run())(async () => {',
    },
  ],
})

threatCase({
  id: 'L02',
  title: 'a definition that was being written when the power went is there in full or not at all',
  attack: () =>
    strikeAt('source add', ({ kind, path }) => {
      if (/sources\/test\.yaml/.test(path))
        return kind === 'FileHandle.writeFile' ? ['torn'] : kind === 'rename' ? ['power'] : []
      return kind === 'FileHandle.sync' && path.endsWith('/sources') ? ['power'] : []
    }),
  controls: [
    { file: 'src/durable-file.ts', find: '      await handle.sync()\n    }\n', replace: '    }\n' },
    {
      file: 'src/durable-file.ts',
      find: 'const temporary = `${path}.${randomUUID()}.tmp`',
      replace: 'const temporary = path',
    },
  ],
})
