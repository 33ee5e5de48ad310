/** Oracle: the schemas of libvirt 9.0 and 11.3. What only the newer one takes must be named; what the older one takes never. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../../src/errors.ts'
import { parseXml } from '../../../src/xml/parse.ts'
import { readSchema } from '../../../src/xml/schema/grammar.ts'
import { requiredVersion, requireRelease } from '../../../src/xml/schema/required-version.ts'
import { findSchemaFaults } from '../../../src/xml/schema/validate.ts'
import { libvirtCorpus, parseCorpus, schemaFiles } from '../../support/libvirt-corpus.ts'

/**
 * What 11.3 relaxed without a new name or value: an attribute or element that may now be left out, or go with others.
 * The target's own schema says so; no table of names can.
 */
const RELAXED = [
  /\/disk(?:\[\d+\])?\/source$/,
  /\/hostdev(?:\[\d+\])?\/@display$/,
  /\/interface(?:\[\d+\])?(?:\/source)?(?:\/@dev)?$/,
  /^\/domainbackup\/disks\/disk(?:\[\d+\])?$/,
]

describe('requiredVersion', () => {
  for (const suite of ['bookworm', 'trixie']) {
    test(`names what only libvirt 11.3 takes in the documents of ${suite}, and nothing else`, async () => {
      const [older, newer] = [await schemaFiles('bookworm'), await schemaFiles('trixie')]
      let [named, relaxed] = [0, 0]
      for (const [name, files] of await libvirtCorpus(suite)) {
        const [before, now] = [readSchema(older, name), readSchema(newer, name)]
        for (const { path, document } of parseCorpus(files)) {
          const needs = requiredVersion(document, '9.0.0')
          const [fault] = findSchemaFaults(document, before)
          if (fault === undefined) assert.deepEqual(needs, [], path)
          else if (findSchemaFaults(document, now).length === 0) {
            if (needs.length > 0) named += 1
            else {
              relaxed += 1
              assert.ok(
                RELAXED.some((pattern) => pattern.test(fault.path)),
                `${path} ${fault.path}`,
              )
            }
          }
          assert.deepEqual(requiredVersion(document, '11.3.0'), [], path)
        }
      }
      if (suite === 'trixie') assert.ok(named > 400 && relaxed < 15, `${named} named, ${relaxed} relaxed`)
    })
  }

  const domain = (inner: string): ReturnType<typeof parseXml> => parseXml(`<domain type="kvm">${inner}</domain>`)
  const needsOf = (inner: string, version = '9.0.0') =>
    requiredVersion(domain(inner), version).map(({ path, since }) => `${path} ${since}`)

  test('names elements, attributes and values, with the release that has each', () => {
    assert.deepEqual(
      needsOf(`<features><ras state='on'/></features><launchSecurity type='sev-snp' vcek='no'/>
        <devices><disk><driver discard_no_unref='on'/></disk><watchdog model='itco'/><watchdog model='i6300esb'/></devices>`),
      [
        'domain/features/ras 10.4.0',
        'domain/launchSecurity/@type="sev-snp" 10.5.0',
        'domain/launchSecurity/@vcek 10.5.0',
        'domain/devices/disk/driver/@discard_no_unref 9.5.0',
        'domain/devices/watchdog/@model="itco" 9.1.0',
        'domain/devices/watchdog 11.3.0',
      ],
    )
  })

  test('asks only for what is newer than the target', () => {
    const inner = `<features><ras state='on'/><ps2 state='off'/></features>`
    assert.deepEqual(needsOf(inner, '10.4.0'), ['domain/features/ps2 10.7.0'])
    assert.deepEqual(needsOf(inner, '10.10.0'), [])
  })

  test('takes a value by its widest form', () => {
    const product = (text: string): string => `<devices><disk><product>${text}</product></disk></devices>`
    assert.deepEqual(needsOf(product('short')), [])
    assert.deepEqual(needsOf(product('longer than sixteen')), [
      'domain/devices/disk/product="longer than sixteen" 11.3.0',
    ])
  })

  test('leaves alone what the schemas do not know', () => {
    assert.deepEqual(needsOf('<metadata><x xmlns="urn:x"><ras/></x></metadata><unknown/>'), [])
    assert.deepEqual(requiredVersion(parseXml('<other/>'), '1.0.0'), [])
  })
})

describe('requireRelease', () => {
  test('refuses what is surely newer, with the release that has all of it', () => {
    const document = parseXml(`<domain><features><ras state='on'/><ps2 state='on'/></features></domain>`)
    assert.throws(
      () => requireRelease(document, '9.0.0'),
      (error) =>
        isVmpkgError(error, 'HOST_UNSUPPORTED') &&
        error.message === 'domain/features/ras and 1 more needs libvirt 10.7.0, and this host has 9.0.0',
    )
    requireRelease(document, '10.7.0')
  })

  test('leaves to the schema what came at some time between', () => {
    requireRelease(parseXml('<domain><os><shim>/a</shim></os></domain>'), '9.0.0')
  })
})
