import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readElfNeeds } from '../../src/publish/elf.ts'

const PROGRAMS = ['/bin/sh', '/usr/bin/env', '/usr/sbin/nft', '/usr/bin/qemu-img', process.execPath]

describe('readElfNeeds', () => {
  test('agrees with ldd’s direct dependencies as objdump lists them', { skip: !existsSync('/usr/bin/objdump') }, () => {
    for (const program of PROGRAMS.filter((path) => existsSync(path))) {
      const listing = execFileSync('objdump', ['-p', program], { encoding: 'utf8', maxBuffer: 1e8 })
      const expected = [...listing.matchAll(/^\s+NEEDED\s+(\S+)$/gm)].map((match) => match[1])
      assert.deepEqual(readElfNeeds(readFileSync(program))?.libraries, expected, program)
    }
  })

  test('names the dynamic linker', () => {
    assert.match(readElfNeeds(readFileSync('/bin/sh'))?.interpreter ?? '', /^\/lib.*\/ld-linux/)
  })

  test('has no opinion on files that are not ELF', () => {
    assert.equal(readElfNeeds(Buffer.from('#!/bin/sh\n')), undefined)
    assert.equal(readElfNeeds(Buffer.alloc(0)), undefined)
  })

  test('survives any damage to a header', () => {
    const head = readFileSync('/bin/sh').subarray(0, 8192)
    fc.assert(
      fc.property(fc.nat(4095), fc.nat(255), fc.integer({ min: 64, max: 8192 }), (at, value, length) => {
        const damaged = Buffer.from(head.subarray(0, length))
        if (at < damaged.length) damaged[at] = value
        readElfNeeds(damaged)
      }),
      { numRuns: 2000 },
    )
  })
})
