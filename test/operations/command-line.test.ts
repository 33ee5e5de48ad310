import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeCommandLine } from '../../src/operations/command-line.ts'

test('what --set gives is left out, in each way to write it', () => {
  const words = ['install', 'router-gal', '--set', 'password=a=b c', '-y', '--set=key=hunter2', '--set', 'novalue']
  assert.equal(describeCommandLine(words), 'vmpkg install router-gal --set password=… -y --set=key=… --set …')
})

test('all else stays as it was typed', () => {
  assert.equal(describeCommandLine(['pin', 'set', 'a=1', '990']), 'vmpkg pin set a=1 990')
})
