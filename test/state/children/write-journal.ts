/**
 * Runs transactions for ever: each writes an intent, makes a file, and commits together with the installed package.
 * Arguments: folder. Prints a line before each step, so that the parent can kill it anywhere.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openStateDatabase } from '../../../src/state/database.ts'
import { InstalledPackages } from '../../../src/state/installed.ts'
import { Journal } from '../../../src/state/journal.ts'
import { readOwnIdentity } from '../../../src/state/process-identity.ts'
import { packageLine } from '../../support/package-line.ts'

const [folder = ''] = process.argv.slice(2)
const database = openStateDatabase(join(folder, 'state.db'))
const clock = { now: () => new Date() }
const journal = new Journal(database, clock, readOwnIdentity())
const installed = new InstalledPackages(database, 'here')
for (let number = 0; ; number++) {
  const name = `package-${number}`
  console.log(`begin ${number}`)
  const transaction = journal.begin({
    connection: 'here',
    operation: 'install',
    subject: name,
    command: `install ${name}`,
  })
  for (const part of ['a', 'b']) {
    const path = join(folder, `${name}.${part}`)
    transaction.intend({ kind: 'remove-file', path })
    console.log(`effect ${number}`)
    writeFileSync(path, '')
  }
  console.log(`commit ${number}`)
  transaction.commit(() => {
    installed.put({
      line: packageLine(name, '1.0'),
      source: 'example',
      isAuto: false,
      isHeld: false,
      installedAt: new Date(),
      grants: [],
      parameters: {},
    })
  })
}
