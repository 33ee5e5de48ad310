/** A sample of the mutants of `npm run soak -- leaks`, and that none goes unlisted. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { LAN_MAC, type Lab, startLab, WAN_MAC } from '../support/leak-lab/lab.ts'
import { listMutants } from '../support/leak-lab/mutants.ts'
import { labMissing } from '../support/leak-lab/namespace.ts'
import { type RouterFiles, readRouterFiles, withChanges } from '../support/leak-lab/router-files.ts'
import { MutantRunner } from '../support/leak-lab/run-mutant.ts'
import { UNI_DEPTHS, UNI_UNSEEN } from './cases/depth.ts'
import { UNI_CASES } from './cases/uni.ts'

const SAMPLE = {
  'early: tcp dport 0 drop': 'caught',
  'early: ip option lsrr exists drop': 'caught in depth',
} as const

describe('mutants of router-uni', { skip: labMissing() }, () => {
  let lab: Lab
  let files: RouterFiles
  before(async () => {
    lab = await startLab()
    files = await readRouterFiles('router-uni', 'uni', { wan: WAN_MAC, lan: LAN_MAC })
  })
  after(async () => lab.stop())

  test('are as many as the files have lines of rules and settings, and each can be made', () => {
    const rules = (files.medium['nftables.nft'] ?? '').split('\n').filter((line) => /^ {4}(?!type)\S/.test(line))
    const settings = (files.image['usr/lib/vmpkg/boot']?.[0] ?? '').match(/^ +setting net\//gm) ?? []
    const mutants = listMutants(files, UNI_DEPTHS)
    const [drops, tables, comments] = [3, 2, rules.filter((line) => line.trim().startsWith('#')).length]
    assert.equal(mutants.length, rules.length - comments + drops + tables + settings.length)
    for (const { change, behind } of mutants) assert.notDeepEqual(withChanges(files, [change, ...behind]), files)
    for (const line of Object.keys(UNI_UNSEEN))
      assert.ok(
        mutants.some(({ name }) => name === line),
        line,
      )
  })

  for (const [name, kind] of Object.entries(SAMPLE)) {
    test(`${name} is ${kind}`, async () => {
      const mutant = listMutants(files, UNI_DEPTHS).find((one) => one.name === name)
      assert.ok(mutant !== undefined)
      const verdict = await new MutantRunner(lab, files, UNI_CASES).run(mutant)
      assert.ok(verdict.kind !== 'survived', 'no case notices')
      assert.equal(verdict.kind, kind)
      assert.ok(verdict.by.includes('A12'))
    })
  }
})
