import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import {
  addProfiles,
  formatKeptProfiles,
  type ProfileSet,
  parseKeptProfiles,
  removeProfile,
  swapProfile,
} from '../../src/router/kept-profiles.ts'

const one = (name: string): { readonly name: string; readonly text: string } => ({ name, text: `text of ${name}\n` })
const SET: ProfileSet = { used: one('home'), kept: [one('oslo'), one('bergen')] }
const names = ({ used, kept }: ProfileSet): readonly string[] => [used?.name ?? '-', ...kept.map(({ name }) => name)]
const usage = (error: unknown): boolean => isVmpkgError(error, 'USAGE')

test('a list is read back by name as it was written, whatever its order', () => {
  const kept = parseKeptProfiles(formatKeptProfiles(SET.kept))
  assert.deepEqual(kept, [one('bergen'), one('oslo')])
  assert.equal(formatKeptProfiles(kept), formatKeptProfiles(SET.kept))
})

test('what is no list of ours is refused, and not shown', () => {
  const twice = JSON.stringify({ vmpkg: 1, profiles: [one('oslo'), one('oslo')] })
  const odd = JSON.stringify({ vmpkg: 1, profiles: [{ name: '../oslo', text: 'secret' }] })
  for (const text of ['', 'secret', '{"vmpkg":2,"profiles":[]}', twice, odd]) {
    assert.throws(
      () => parseKeptProfiles(text),
      (error) => isVmpkgError(error, 'PARAMETER_INVALID') && !`${error.message}${error.hint}`.includes('secret'),
    )
  }
})

test('a list that no value holds is refused when it is made', () => {
  const large = Array.from({ length: 40 }, (_, at) => ({ name: `p${at}`, text: 'x'.repeat(7000) }))
  assert.throws(
    () => formatKeptProfiles(large),
    (error) => isVmpkgError(error, 'SIZE_EXCEEDED'),
  )
  assert.equal(parseKeptProfiles(formatKeptProfiles(large.slice(0, 36))).length, 36)
})

test('a name is there once, be it in use, kept, or added twice', () => {
  assert.deepEqual(names(addProfiles(SET, [one('rome'), one('paris')])), ['home', 'oslo', 'bergen', 'rome', 'paris'])
  for (const added of [[one('home')], [one('oslo')], [one('rome'), one('rome')]]) {
    assert.throws(() => addProfiles(SET, added), usage)
  }
})

test('two profiles change places, and none is lost', () => {
  const swapped = swapProfile(SET, 'bergen')
  assert.deepEqual(names(swapped), ['bergen', 'oslo', 'home'])
  assert.deepEqual(swapProfile(swapped, 'home').used, one('home'))
  assert.deepEqual(swapProfile(SET, 'home'), SET)
  assert.deepEqual(names(swapProfile({ used: undefined, kept: SET.kept }, 'oslo')), ['oslo', 'bergen'])
  assert.throws(() => swapProfile(SET, 'rome'), usage)
})

test('only what is kept and not in use can go', () => {
  assert.deepEqual(names(removeProfile(SET, 'oslo')), ['home', 'bergen'])
  assert.throws(() => removeProfile(SET, 'home'), /is in use/)
  assert.throws(() => removeProfile(SET, 'rome'), /no VPN profile "rome"/)
})
