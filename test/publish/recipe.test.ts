import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { epochSeconds, hasVerity, parseRecipe } from '../../src/publish/recipe.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')

const SMALL = `recipe: 1
suite: bookworm
variant: extract
epoch: 2026-11-01T00:00:00Z
packages: [busybox-static]
kernel: { package: linux-image-cloud-amd64, modules: [virtio_pci] }
keep: [bin/busybox]
outputs: [{ role: kernel }]
`

function refusal(text: string): string {
  try {
    parseRecipe(text, 'recipe.yaml')
  } catch (error) {
    assert.ok(isVmpkgError(error, 'RECIPE_INVALID'), String(error))
    return error.message
  }
  return assert.fail('the recipe was accepted')
}

describe('parseRecipe', () => {
  test('reads the recipes of this repository', () => {
    for (const name of ['router-uni', 'app-console', 'os-debian', 'app-base', 'app-firefox']) {
      const recipe = parseRecipe(readFileSync(join(TEMPLATES, name, 'recipe.yaml'), 'utf8'), name)
      assert.ok(recipe.variant !== 'upstream')
      assert.equal(recipe.suite, 'bookworm')
      assert.equal(epochSeconds(recipe), Date.UTC(2026, 10, 1) / 1000)
    }
  })

  test('reads a layer, which has one disk and no kernel of its own', () => {
    const layer =
      'recipe: 1\nvariant: layer\nbase: app-base\nsuite: bookworm\nepoch: 2026-11-01T00:00:00Z\npackages: [foot]\n'
    const recipe = parseRecipe(layer, 'recipe.yaml')
    assert.ok(recipe.variant === 'layer')
    assert.deepEqual([recipe.base, recipe.outputs], ['app-base', [{ role: 'disk' }]])
    assert.match(refusal(layer.replace('app-base', '../app-base')), /not the name of a package/)
    assert.match(refusal(`${layer}kernel: { package: linux-image-amd64, modules: [] }\n`), /kernel/)
    assert.match(refusal(layer.replace('base: app-base\n', '')), /base/)
  })

  test('fills in what a small recipe leaves out', () => {
    const recipe = parseRecipe(SMALL, 'recipe.yaml')
    assert.deepEqual(recipe.variant === 'extract' && recipe.components, ['main'])
  })

  test('lets a root be verified only where there is an initrd to do it', () => {
    const outputs = (more: string): string =>
      SMALL.replace('[{ role: kernel }]', `[{ role: root, filesystem: erofs, verity: true }${more}]`)
    assert.match(refusal(outputs('')), /verity needs an initrd/)
    const recipe = parseRecipe(outputs(', { role: initrd, modules: [erofs] }'), 'recipe.yaml')
    assert.equal(recipe.variant !== 'upstream' && hasVerity(recipe), true)
    const plain = parseRecipe(SMALL, 'recipe.yaml')
    assert.equal(plain.variant !== 'upstream' && hasVerity(plain), false)
    refusal(SMALL.replace('[{ role: kernel }]', '[{ role: kernel, verity: true }]'))
  })

  test('takes the disk of a vendor, by release and digest, and refuses what is not one', () => {
    const from = (text: string, more = ''): string => `recipe: 1\nvariant: upstream\nfrom: ${text}\n${more}`
    const recipe = parseRecipe(from('ubuntu:24.04:cloud', `digests: ["sha256:${'a'.repeat(64)}"]\n`), 'recipe.yaml')
    assert.deepEqual(recipe.outputs, [{ role: 'disk' }])
    for (const wrong of ['ubuntu', 'ubuntu:24.04', 'https://example.org/disk', 'ubuntu:../24.04:cloud', 'a:1:b:c']) {
      refusal(from(JSON.stringify(wrong)))
    }
    refusal(from('ubuntu:24.04:cloud', 'packages: [busybox]\n'))
    refusal(from('ubuntu:24.04:cloud', `digests: ["md5:${'a'.repeat(32)}"]\n`))
  })

  test('refuses fields that are not in the closed set, commands among them', () => {
    assert.match(refusal(`${SMALL}run: [rm]\n`), /run/)
  })

  test('refuses doubled keys, aliases and text that is not YAML', () => {
    refusal(`${SMALL}suite: trixie\n`)
    refusal(SMALL.replace('keep: [bin/busybox]', 'keep: &a [bin/busybox]\nlinks: *a'))
    refusal('recipe: [')
    refusal('')
  })

  test('refuses paths that leave the tree', () => {
    for (const path of ['../etc/shadow', '/etc/shadow', 'usr/../../etc', 'a//b', './a', 'a/.']) {
      refusal(SMALL.replace('bin/busybox', JSON.stringify(path)))
    }
  })

  test('refuses words that a program could take for an option or a list', () => {
    for (const name of ['-oProxy', 'a,b', 'a b', "a'b", '$(x)']) {
      refusal(SMALL.replace('busybox-static', JSON.stringify(name)))
    }
  })

  test('an installed recipe removes instead of keeping, and makes one disk that boots by itself', () => {
    const disk = '{ role: disk, layout: uefi, label: x, sizeMib: 512, modules: [ext4], commandLine: quiet }'
    const small = SMALL.replace('variant: extract', 'variant: minbase')
      .replace('keep: [bin/busybox]\n', '')
      .replace('{ role: kernel }', disk)
    const recipe = parseRecipe(small, 'recipe.yaml')
    assert.ok(recipe.variant === 'minbase')
    assert.deepEqual(recipe.remove, [])
    assert.equal(recipe.outputs[0].sizeMib, 512)
    assert.match(refusal(`${small}keep: [bin/busybox]\n`), /keep/)
    assert.match(refusal(`${small}users: [{ name: "a b", uid: 1, gid: 1, home: /, shell: / }]\n`), /users/)
    assert.match(refusal(`${small}remove: [../etc]\n`), /remove/)
    assert.match(refusal(small.replace(disk, '{ role: kernel }')), /outputs/)
    for (const commandLine of ['', '"a  b"', '"a\\nb"', '"a=\'x\'"', '"$(x)"']) {
      assert.match(refusal(small.replace('quiet', commandLine)), /commandLine/)
    }
  })

  test('refuses a role that appears twice', () => {
    assert.match(refusal(SMALL.replace('[{ role: kernel }]', '[{ role: kernel }, { role: kernel }]')), /once/)
  })

  test('refuses more than 64 KiB', () => {
    assert.match(refusal(`${SMALL}#${'x'.repeat(65_536)}`), /64 KiB/)
  })

  test('accepts or refuses any text, and never fails otherwise', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.string().map((tail) => SMALL + tail),
        ),
        (text) => {
          try {
            parseRecipe(text, 'recipe.yaml')
          } catch (error) {
            assert.ok(isVmpkgError(error, 'RECIPE_INVALID'), String(error))
          }
        },
      ),
    )
  })
})
