import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isUtf8, textFor, toAscii } from '../../src/cli/ascii.ts'
import { makeCli } from '../support/cli.ts'
import { runOnTerminal } from '../support/pty.ts'

test('our own characters become ASCII, what comes from elsewhere stays', () => {
  assert.equal(toAscii('vmpkg’s “state” … 1 → 2 ├─ a └─ b │ 3 µs'), 'vmpkg\'s "state" ... 1 -> 2 |- a `- b | 3 us')
  assert.equal(toAscii('/srv/vidéo'), '/srv/vidéo')
})

test('the character type is that of LC_ALL, LC_CTYPE or LANG, the first that is set', () => {
  assert.equal(isUtf8({ LANG: 'de_DE.UTF-8' }), true)
  assert.equal(isUtf8({ LC_ALL: '', LC_CTYPE: 'C.utf8', LANG: 'C' }), true)
  assert.equal(isUtf8({ LC_ALL: 'C', LANG: 'de_DE.UTF-8' }), false)
  assert.equal(isUtf8({ LANG: 'de_DE.ISO-8859-1' }), false)
  assert.equal(isUtf8({}), false)
})

test('only a terminal is spared UTF-8', () => {
  assert.equal(textFor({ isTTY: true }, { LANG: 'C' })('it’s'), "it's")
  assert.equal(textFor({ isTTY: true }, { LANG: 'C.UTF-8' })('it’s'), 'it’s')
  assert.equal(textFor({}, { LANG: 'C' })('it’s'), 'it’s')
})

test('help, results, tables and failures on a terminal without UTF-8 are ASCII', { timeout: 120_000 }, async (t) => {
  const cli = await makeCli('private:ascii')
  t.after(async () => cli.close())
  const commands = [
    ['list', '--help'],
    ['--help'],
    ['doctor', '--no-probe', '--all'],
    ['doctor', '--components'],
    ['start', 'no-such-machine'],
    ['render', 'No’Package'],
  ]
  for (const args of commands) {
    const { stdout } = await runOnTerminal(cli, args, [], { LC_ALL: 'C' })
    assert.notEqual(stdout, '', args.join(' '))
    assert.doesNotMatch(stdout, /[^\0-\x7f]/, args.join(' '))
  }
  assert.match((await runOnTerminal(cli, ['list', '--help'], [], { LC_ALL: 'C.UTF-8' })).stdout, /vmpkg’s state/)
  assert.match((await cli.run(['list', '--help'], '', { env: { LC_ALL: 'C' } })).stdout, /vmpkg’s state/)
})
