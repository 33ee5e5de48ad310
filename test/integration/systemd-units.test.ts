/** The units that ship: systemd takes them, and they name no place of a machine. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { COMMANDS } from '../../src/cli/commands.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const TOP = join(import.meta.dirname, '..', '..')
const units = globSync('systemd/*/*.service', { cwd: TOP })
const textOf = (unit: string): string => readFileSync(join(TOP, unit), 'utf8')

describe('the systemd units', () => {
  test('there is one for the system and one for users', () => {
    const known = ['systemd/system/vmpkg-supervise.service', 'systemd/user/vmpkg-private-host@.service']
    assert.deepEqual(units.toSorted(), known)
  })

  for (const unit of units) {
    test(`${unit} runs commands that vmpkg has, found where systemd looks`, () => {
      const lines = textOf(unit).matchAll(/^Exec\w+=(\S+) (.*)$/gm)
      for (const [, program, words = ''] of lines) {
        assert.equal(program, 'vmpkg')
        assert.ok(
          COMMANDS.some(({ name }) => words.startsWith(name)),
          words,
        )
      }
      assert.doesNotMatch(textOf(unit), /=\/(?!dev)|\/home\/|\/usr\/local/)
    })

    test(`${unit} says nothing that systemd does not know`, {
      skip: !existsSync('/usr/bin/systemd-analyze') && 'not installed: systemd',
    }, async (t) => {
      const copy = join(await makeTempFolder(t), basename(unit).replace('@', '@one'))
      writeFileSync(copy, textOf(unit).replaceAll('=vmpkg ', '=/bin/true '))
      const verify = (): string =>
        execFileSync('systemd-analyze', ['verify', copy], { encoding: 'utf8', stdio: 'pipe' })
      assert.equal(verify(), '')
      writeFileSync(copy, `${readFileSync(copy, 'utf8')}\n[Service]\nProtectEverything=yes\n`)
      const said = execFileSync('sh', ['-c', 'systemd-analyze verify "$1" 2>&1 || true', 'sh', copy], {
        encoding: 'utf8',
      })
      assert.match(said, /ProtectEverything/)
    })
  }
})
