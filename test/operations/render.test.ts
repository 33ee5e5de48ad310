/** `render` through the command line on a private host: nothing is changed, and what it prints is what is defined. */
import assert from 'node:assert/strict'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before as beforeAll, describe, test } from 'node:test'
import type { DefinitionComparison } from '../../src/render/definition-changes.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, NOTHING, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

interface Report {
  readonly package: string
  readonly documents: readonly {
    readonly kind: string
    readonly name: string
    readonly text: string
    readonly comparison?: DefinitionComparison
    readonly places: readonly string[]
  }[]
  readonly values: readonly { readonly name: string; readonly value: string; readonly origin: string }[]
  readonly missingGrants: readonly { readonly capability: string }[]
  readonly violations: readonly {
    readonly document: string
    readonly code: string
    readonly path: string
    readonly line?: number
    readonly reason: string
    readonly allowed: readonly string[]
  }[]
  readonly notes: readonly string[]
}

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')
const APP = `parameters:
  memory: { type: size, default: 32MiB, minimum: 32MiB, maximum: 1GiB }
  secretWord: { type: string, secret: true, optional: true }
profiles:
  large: { memory: 64MiB }`

describe('render', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const render = async (...args: readonly string[]): Promise<Report> =>
    (await site.cli.json(['render', ...args])) as unknown as Report

  beforeAll(async () => {
    const app = tinyApp('app-tiny', { manifest: 'depends: [router-tiny]' })
    const manifest = app.manifest?.replace(/^parameters: .*$/m, APP)
    site = await makeSite('render', [
      tinyRouter('router-tiny'),
      { ...app, ...(manifest === undefined ? {} : { manifest }) },
    ])
  })
  after(() => site.close())

  test('a package that is only offered is rendered with new identities, and nothing is there afterwards', async () => {
    const { documents, missingGrants, notes } = await render('router-tiny', '--network', '--guest')
    assert.deepEqual(
      documents.map(({ kind, name }) => `${kind} ${name}`),
      ['domain router-tiny', 'network vmpkg-uplink', 'network uni0', 'guest nftables.nft'],
    )
    assert.deepEqual(
      missingGrants.map(({ capability }) => capability),
      ['network'],
    )
    assert.match(notes[0] ?? '', /not defined here/)
    assert.ok(documents.every(({ comparison }) => comparison === undefined))
    const { damaged: _, ...seen } = await site.observe()
    const { damaged: __, ...nothing } = NOTHING
    assert.deepEqual(seen, nothing)
  })

  test('what is printed for an installed router is what libvirt was given, and --diff says so', async () => {
    await site.cli.ok(['install', 'router-tiny', '-y', '--grant', 'network', '--no-start'])
    const before = await site.observe()
    const { documents, missingGrants, values } = await render('router-tiny', '--network')
    assert.deepEqual(missingGrants, [])
    const uuid = (await site.virsh('domuuid', 'router-tiny')).trim()
    const domain = documents.find(({ kind }) => kind === 'domain')
    assert.match(domain?.text ?? '', new RegExp(`<uuid>${uuid}</uuid>`))
    for (const { name, comparison } of documents) {
      // libvirt adds addresses, controllers and defaults; none of them is a change.
      assert.deepEqual(comparison, { changes: [], conflicts: [], isWhole: true, isEdited: false }, name)
    }
    const same = await site.cli.run(['render', 'router-tiny', '--network', '--diff'])
    assert.equal(same.status, 0, same.stdout)
    assert.doesNotMatch(same.stdout, /^[-+~>!]/m)
    assert.deepEqual(values.find(({ name }) => name === 'domain.uuid')?.origin, 'the machine as defined')
    const diff = await site.cli.run(['render', 'router-tiny', '--set', 'memory=64MiB', '--diff'])
    assert.equal(diff.status, 1)
    assert.match(diff.stdout, /^~ memory\/text\(\): 32768 → 65536$/m)
    const lines = diff.stdout.trimEnd().split('\n')
    assert.deepEqual(
      lines.filter((line) => /^\S/.test(line) && !/^[-+~] (?:memory|currentMemory|metadata)\b/.test(line)),
      [],
    )
    assert.ok(lines.every((line) => line.length <= 80))
    assert.deepEqual(await site.observe(), before)
  })

  test('what the user edited is told apart, and is a conflict only where both changed it', async () => {
    const edit = async (from: string, to: string): Promise<void> => {
      const file = join(site.cli.folder, 'edit.xml')
      const xml = await site.virsh('dumpxml', '--inactive', 'router-tiny')
      assert.ok(xml.includes(from))
      await writeFile(file, xml.replace(from, to))
      await site.virsh('define', file)
    }
    await edit("<memory unit='KiB'>32768<", "<memory unit='KiB'>49152<")
    const kept = await site.cli.run(['render', 'router-tiny', '--diff'])
    assert.equal(kept.status, 0, kept.stdout)
    assert.match(kept.stderr, /Your edits of router-tiny stay/)
    const both = await site.cli.run(['render', 'router-tiny', '--set', 'memory=64MiB', '--diff'])
    assert.equal(both.status, 1)
    assert.match(both.stdout, /^! memory$/m)
    await edit("<memory unit='KiB'>49152<", "<memory unit='KiB'>32768<")
  })

  test('every value says where it is from, every line where it was written; secrets are not shown', async () => {
    const folder = join(site.cli.folder, 'root', 'etc', 'vmpkg')
    await mkdir(join(folder, 'profiles'), { recursive: true })
    await writeFile(join(folder, 'profiles', 'mine.yaml'), 'app-tiny: { secretWord: sesame }\n')
    const report = await render('app-tiny', '--profile', 'large', '--profile', 'mine')
    const from = Object.fromEntries(report.values.map(({ name, value, origin }) => [name, `${value} ${origin}`]))
    assert.equal(from['params.memory'], '64MiB package')
    assert.equal(from['params.secretWord'], '(secret) profile')
    assert.equal(from['domain.memoryKib'], '65536 params.memory')
    assert.equal(from['host.libvirtVersion'], '9.0.0 libvirt')
    assert.doesNotMatch(JSON.stringify(report), /sesame/)
    const [document] = report.documents
    const lines = document?.text.split('\n') ?? []
    const placeOf = (pattern: RegExp): string | undefined =>
      document?.places[lines.findIndex((line) => pattern.test(line))]
    assert.match(placeOf(/<memory /) ?? '', /^identity:\d+ < domain\.xml\.hbs:2$/)
    assert.equal(placeOf(/<type arch/), 'domain.xml.hbs:3')
    assert.equal(placeOf(/<vmpkg:domain/), 'vmpkg')
    const { stdout } = await site.cli.run(['render', 'app-tiny', '--explain'])
    assert.match(stdout, /params\.memory\t32MiB\tdefault/)
    assert.match(stdout, /^ {2}<memory .* identity:\d+ < domain\.xml\.hbs:2$/m)
  })

  test('a clone that is there is rendered as that machine', async () => {
    await site.cli.ok(['install', 'app-tiny', '-y', '--grant', 'network'])
    await site.cli.ok(['clone', 'app-tiny', '--name', 'one', '--no-start', '--set', 'memory=48MiB'])
    const xml = await site.virsh('dumpxml', 'one')
    const { documents } = await render('app-tiny', '--name', 'one')
    const text = documents[0]?.text ?? ''
    for (const pattern of [/<uuid>.*<\/uuid>/, /<mac address='[^']+'\/>/, /<memory unit='KiB'>49152</]) {
      assert.equal(pattern.exec(text)?.[0], pattern.exec(xml)?.[0], String(pattern))
    }
    assert.deepEqual(documents[0]?.comparison, { changes: [], conflicts: [], isWhole: true, isEdited: false })
    const { documents: changed } = await render('app-tiny', '--name', 'one', '--set', 'memory=64MiB')
    const said = changed[0]?.comparison?.changes.filter(({ path }) => !path.startsWith('metadata/'))
    const memory = { kind: 'changed', node: 'text', before: '49152', after: '65536' }
    assert.deepEqual(said, [
      { ...memory, path: 'memory/text()' },
      { ...memory, path: 'currentMemory/text()' },
    ])
  })

  test('a template folder is rendered before anything is built, and refused like a package', async () => {
    const folder = join(site.cli.folder, 'my-app')
    await cp(join(TEMPLATES, 'app-console'), folder, { recursive: true })
    const { documents } = await render(folder)
    assert.match(documents[0]?.text ?? '', /<name>app-console-1<\/name>/)
    const path = join(folder, 'domain.xml.hbs')
    await writeFile(
      path,
      (await readFile(path, 'utf8')).replace('{{> medium}}', '{{> medium}}\n    {{> panic model="pvpanic"}}'),
    )
    const { status, stderr } = await site.cli.run(['render', folder])
    assert.equal(status, 100)
    assert.match(
      stderr,
      /"domain\.xml\.hbs" \(line 18\): the panic device on PCI needs libvirt 9\.1, and this host has 9\.0\.0/,
    )
    await writeFile(
      path,
      (await readFile(join(TEMPLATES, 'app-console', 'domain.xml.hbs'), 'utf8')).replace(
        '{{> medium}}',
        "{{> medium}}\n    <panic model='fancy'/>",
      ),
    )
    const { violations } = JSON.parse((await site.cli.run(['render', folder, '--json'])).stdout) as Report
    assert.deepEqual(
      violations.map(({ code, document, path: at, allowed }) => ({ code, document, path: at, allowed })),
      [
        {
          code: 'SCHEMA_INVALID',
          document: 'app-console-1',
          path: '/domain/devices/panic/@model',
          allowed: ['"isa"', '"pseries"', '"hyperv"', '"s390"'],
        },
      ],
    )
    const warned = await site.cli.run(['render', folder])
    assert.equal(warned.status, 1)
    assert.match(warned.stdout, /<panic model='fancy'\/>/)
    assert.match(
      warned.stderr,
      /^W: app-console-1: \/domain\/devices\/panic\/@model \(line \d+\): .*"fancy" is not allowed \[SCHEMA_INVALID\]$/m,
    )
    const wrong = await site.cli.run(['render', join(site.cli.folder, 'root')])
    assert.match(wrong.stderr, /neither a package nor a folder.*\[USAGE\]/)
  })

  test('networks are held against the host’s libvirt too, and their templates know its release', async () => {
    const folder = join(site.cli.folder, 'my-router')
    await cp(join(TEMPLATES, 'router-uni'), folder, { recursive: true })
    const path = join(folder, 'network.xml.hbs')
    const text = await readFile(path, 'utf8')
    const write = (from: string, to: string): Promise<void> => writeFile(path, text.replace(from, to))
    assert.deepEqual((await render(folder, '--network')).violations, [])
    await write('<dns', '<mtu/>\n  <dns')
    const wrong = await site.cli.run(['render', folder, '--network'])
    assert.equal(wrong.status, 1, wrong.stderr)
    assert.match(
      wrong.stderr,
      /^W: uni1: \/network\/mtu \(line \d+\): <mtu> lacks an attribute: size \[SCHEMA_INVALID\]\n   Allowed there: size\.$/m,
    )
    await write('<dns', '{{#if (needs "libvirt" "99.0" "a feature")}}{{/if}}<dns')
    const { status, stderr } = await site.cli.run(['render', folder, '--network'])
    assert.equal(status, 100)
    assert.match(stderr, /a feature needs libvirt 99\.0, and this host has \d+\.\d+\.\d+ \[HOST_UNSUPPORTED\]/)
  })
})
