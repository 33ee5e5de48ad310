import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openStateDatabase } from '../../src/state/database.ts'
import { ImageReferences } from '../../src/state/image-references.ts'
import { packageImage } from '../support/package-line.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('ImageReferences', () => {
  test('keeps an image until its last holder on any connection has gone', async (t) => {
    const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
    t.after(() => database.close())
    const here = new ImageReferences(database, 'here')
    const there = new ImageReferences(database, 'there')
    const [shared, own] = [packageImage('shared'), packageImage('own')]
    here.hold('package app', [shared, own])
    there.hold('clone app-1', [shared])
    assert.deepEqual(here.referenced().images, new Set([shared.digest, own.digest]))
    assert.deepEqual(here.holdersOf(shared.digest), ['package app'])
    here.release('package app')
    assert.deepEqual(here.referenced(), { images: new Set([shared.digest]), maps: new Set([shared.map.sha256]) })
    there.release('clone app-1')
    assert.deepEqual(here.referenced(), { images: new Set(), maps: new Set() })
  })

  test('replaces what a holder needs', async (t) => {
    const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
    t.after(() => database.close())
    const references = new ImageReferences(database, 'here')
    references.hold('package app', [packageImage('old'), packageImage('old')])
    references.hold('package app', [packageImage('new')])
    assert.deepEqual(references.referenced().images, new Set([packageImage('new').digest]))
  })
})
