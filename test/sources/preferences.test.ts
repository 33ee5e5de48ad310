import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { NO_PREFERENCES } from '../../src/catalogue/policy.ts'
import { parsePreferences, putChannels, putPin, readPreferences, removePins } from '../../src/sources/preferences.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('preferences', () => {
  test('are none without a file, and read as people write them', async (t) => {
    assert.deepEqual(readPreferences(join(await makeTempFolder(t), 'preferences.yaml')), NO_PREFERENCES)
    assert.deepEqual(
      parsePreferences(`# mine
channels: [testing]
packageChannels: { router-uni: [beta] }
pins:
  - { name: 'router-*', source: example, priority: 990 }
  - name: tor
    version: 0.4.8-2
    priority: -1 # loses circuits
    reason: loses circuits
`),
      {
        channels: ['testing'],
        packageChannels: { 'router-uni': ['beta'] },
        pins: [
          { name: 'router-*', source: 'example', priority: 990 },
          { name: 'tor', version: '0.4.8-2', priority: -1, reason: 'loses circuits' },
        ],
      },
    )
  })

  for (const [what, text] of [
    ['an unknown field', 'pin: []'],
    ['a pin without a priority', 'pins: [{ name: tor }]'],
    ['a priority out of range', 'pins: [{ name: tor, priority: 100000 }]'],
    ['a name that is none', "pins: [{ name: 'Tor!', priority: 1 }]"],
    ['a version that is none', "pins: [{ name: tor, version: '-', priority: 1 }]"],
    ['a channel that is none', "channels: ['a b']"],
    ['a field given twice', 'channels: [a]\nchannels: [b]'],
    ['an alias', 'channels: &a [b]\npackageChannels: { tor: *a }'],
    ['something else than a map', '- 1'],
    ['what is no YAML', 'channels: ['],
    ['a very long file', `# ${'x'.repeat(300_000)}`],
  ] as const) {
    test(`are refused with ${what}`, () => {
      assert.throws(() => parsePreferences(text), { code: 'PREFERENCES_INVALID' })
    })
  }

  test('are changed in place, and comments stay', async (t) => {
    const path = join(await makeTempFolder(t), 'etc', 'preferences.yaml')
    await putPin(path, { name: 'tor', priority: 900 })
    await putPin(path, { name: 'tor', source: 'example', priority: 901 })
    await writeFile(path, `${await readFile(path, 'utf8')}# a note of mine\n`)
    await putPin(path, { name: 'tor', priority: 700, reason: 'why' })
    await putChannels(path, ['beta'], 'tor')
    await putChannels(path, ['testing'])
    assert.deepEqual(readPreferences(path), {
      channels: ['testing'],
      packageChannels: { tor: ['beta'] },
      pins: [
        { name: 'tor', priority: 700, reason: 'why' },
        { name: 'tor', source: 'example', priority: 901 },
      ],
    })
    assert.equal((await removePins(path, ({ source }) => source === undefined)).length, 1)
    assert.equal((await removePins(path, ({ name }) => name === 'absent')).length, 0)
    await removePins(path, () => true)
    await putChannels(path, [], 'tor')
    await putChannels(path, [])
    assert.deepEqual(readPreferences(path), NO_PREFERENCES)
    assert.match(await readFile(path, 'utf8'), /^# Pins and channels[\s\S]*# a note of mine/)
    await assert.rejects(putPin(path, { name: 'tor', priority: 1.5 }), { code: 'PREFERENCES_INVALID' })
  })
})
