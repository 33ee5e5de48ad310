/** `vmpkg/libvirt` as a program gets it: packed, unpacked where no other package is, run as JavaScript and compiled. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { typeChecks } from '../../docs/libvirt/make-reference/checks.ts'
import { OBJECTS } from '../../docs/libvirt/make-reference/objects.ts'
import { objectGroups } from '../../docs/libvirt/make-reference/pages.ts'
import { SourceFiles } from '../../docs/libvirt/make-reference/source.ts'
import { makeCli } from '../support/cli.ts'
import { noise } from '../support/disk-image.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { guestXml } from '../support/guest-xml.ts'
import { type PackedPackage, packPackage } from '../support/packed-package.ts'
import { startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { buildRegistry } from '../support/registry-builder.ts'

const TOP = join(import.meta.dirname, '..', '..')

const PROGRAM = `
import assert from 'node:assert/strict'
import { Connect, LibvirtError } from 'vmpkg/libvirt'

assert.equal(process.features.typescript, false)
for (const name of JSON.parse(process.argv[3])) assert.throws(() => import.meta.resolve(name), { code: 'ERR_MODULE_NOT_FOUND' })
await using connect = await Connect.open(process.argv[2])
await connect.domainDefineXML({ xml: process.argv[4], flags: ['validate'] })
await assert.rejects(connect.domainLookupByName({ name: 'none' }), (error) => error instanceof LibvirtError && error.is('noDomain'))
console.log((await connect.listAllDomains({ flags: ['inactive'] })).map(({ name }) => name).join())
`

/** Each \`@ts-expect-error\` fails the compilation when there is no error below it. */
const TYPED_PROGRAM = `
import { Connect, ConnectionClosed, type Domain, type EventOf, LibvirtError, type LibvirtStream } from 'vmpkg/libvirt'

await using connect = await Connect.open('test:///default', { readonly: true, signal: AbortSignal.timeout(1000) })
const domain: Domain = await connect.domainLookupByName({ name: 'test', timeoutMs: 1000 })
await domain.create({ flags: ['paused', 'unknown(64)'] })
const { state }: { readonly state: string } = await domain.getState()
const memory: bigint = (await domain.getInfo()).memory
const stream: LibvirtStream = await domain.openConsole()
const event: EventOf<'domain.lifecycle'> | undefined = (await connect.events('domain.lifecycle', { object: domain }).next()).value
for await (const { network, event } of connect.events('network.lifecycle')) console.log(network.uuid, event)
try {
  await domain.setMemory({ memory: 1024n })
} catch (error) {
  if (error instanceof LibvirtError && error.is('operationInvalid')) console.log(error.codeName, error.code)
  else if (error instanceof ConnectionClosed) console.log(error.message)
}
// @ts-expect-error no such flag
await domain.create({ flags: ['pause'] })
// @ts-expect-error flags are a list
await domain.create({ flags: 'paused' })
// @ts-expect-error an argument is missing
await connect.domainLookupByName({})
// @ts-expect-error all arguments are missing
await connect.domainLookupByName()
// @ts-expect-error no such argument
await connect.domainDefineXML({ xml: '', validate: true })
// @ts-expect-error 64-bit numbers are bigint
await domain.setMemory({ memory: 1024 })
// @ts-expect-error no such choice
await domain.interfaceAddresses({ source: 'dhcp' })
// @ts-expect-error no such event
connect.events('domain.life')
// @ts-expect-error an event of networks is not narrowed to a domain
connect.events('network.lifecycle', { object: domain })
// @ts-expect-error no such error
if (new LibvirtError({} as never).is('noSuchError')) console.log()
// @ts-expect-error a result is what libvirt gives
const wrong: number = await domain.getXMLDesc()
// @ts-expect-error an own connection is only opened
new Connect()
console.log(state, memory, stream, event, wrong)
`

const STRICT = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false }

describe('vmpkg/libvirt, packed', { timeout: 240_000 }, () => {
  let packed: PackedPackage
  before(() => {
    packed = packPackage()
    writeFileSync(join(packed.folder, 'package.json'), '{ "type": "module" }')
  })
  after(() => packed?.[Symbol.dispose]())

  test('runs as JavaScript where no other package is, and lists domains', { skip: withoutLibvirt }, async () => {
    await using daemon = await startPrivateLibvirt()
    writeFileSync(join(packed.folder, 'program.js'), PROGRAM)
    const { dependencies } = JSON.parse(readFileSync(join(packed.unpacked, 'package.json'), 'utf8')) as {
      dependencies: object
    }
    const args = [daemon.uri(), JSON.stringify(Object.keys(dependencies)), guestXml({ name: 'packed' })]
    const run = spawnSync(process.execPath, ['--no-strip-types', 'program.js', ...args], {
      cwd: packed.folder,
      encoding: 'utf8',
    })
    assert.deepEqual([run.stdout, run.stderr, run.status], ['packed\n', '', 0])
  })

  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])
    test(`has types that take and refuse what libvirt does, with moduleResolution ${moduleResolution}`, () => {
      writeFileSync(join(packed.folder, 'typed.ts'), TYPED_PROGRAM)
      const lib = 'es2024,esnext.disposable'
      assert.equal(packed.compile({ ...STRICT, lib, module, moduleResolution }, 'typed.ts'), '')
    })

  test('shows its types as plain objects, without the codecs they are made of', () => {
    const source = `import type { Connect, Domain } from 'vmpkg/libvirt'
declare const connect: Connect
declare const domain: Domain
export const lookup: 0 = connect.domainLookupByName
export const info: 0 = await domain.getInfo()
`
    writeFileSync(join(packed.folder, 'shown.ts'), source)
    const lib = 'es2024,esnext.disposable'
    // The compiler names the types as an editor does.
    const shown = packed.compile({ ...STRICT, lib, module: 'nodenext', noErrorTruncation: true }, 'shown.ts')
    assert.match(shown, /'\(args: \{ (readonly [^{}]*; )?readonly name: string; [^{}]*\}\) => Promise<Domain>' is not/)
    assert.match(shown, /'\{ readonly state: "blocked" .*; readonly memory: bigint; .*\}' is not/)
    assert.doesNotMatch(shown, /Simplify|Codec|Output/)
  })

  test('has the types that the reference prints', () => {
    writeFileSync(join(packed.folder, 'printed.ts'), typeChecks())
    assert.equal(packed.compile({ ...STRICT, lib: 'es2024,esnext.disposable', module: 'nodenext' }, 'printed.ts'), '')
  })

  test('keeps the comment of every row in its declarations, where editors look for it', () => {
    const files = new SourceFiles()
    const rows = OBJECTS.flatMap((object) => objectGroups(object, files).flatMap((group) => [...group.rows]))
    const homes = new Map<string, Map<string, boolean>>()
    for (const [name, { doc, value }] of rows) {
      const home = basename(value.file.path, '.ts')
      homes.set(home, (homes.get(home) ?? new Map<string, boolean>()).set(name, doc !== undefined))
    }
    assert.ok(homes.size > 10)
    const known = new Set(rows.map(([name]) => name))
    for (const path of globSync(join(packed.unpacked, 'dist/libvirt/*.d.ts'))) {
      const own = homes.get(basename(path, '.d.ts')) ?? new Map<string, boolean>()
      const text = readFileSync(path, 'utf8')
      const declared = text.matchAll(/(\*\/\n)?^ {4}(\w+): import\("\.\/methods\.ts"\)\.(?:Stream)?Call</gm)
      for (const [, comment, name = ''] of declared) {
        // A row that is spelled out in the declarations of another file than its own has lost its comment there.
        assert.ok(own.has(name) || !known.has(name), `${basename(path)} spells out ${name}, a row of another file`)
        if (own.get(name) === true) assert.ok(comment !== undefined, `${basename(path)} lost the comment of ${name}`)
      }
      for (const name of own.keys()) assert.match(text, new RegExp(`^ {4}${name}: `, 'm'), basename(path))
    }
  })

  test('imports nothing but Node and itself', () => {
    for (const path of globSync(join(packed.unpacked, 'dist/libvirt/*.js')))
      for (const [, specifier = ''] of readFileSync(path, 'utf8').matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g))
        assert.match(specifier, /^(node:|\.\/[a-zA-Z0-9-]+\.js$)/, basename(path))
  })

  test('the program in it finds the rest of it, and npm packages only where it needs them', async (t) => {
    const cli = await makeCli('test:///default')
    t.after(async () => cli.close())
    const program = (...args: readonly string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(packed.unpacked, 'dist/bin.js'), ...args], {
        env: cli.env,
        encoding: 'utf8',
      })
      assert.equal(status, 0, stderr)
      return stdout
    }
    const { version } = JSON.parse(readFileSync(join(packed.unpacked, 'package.json'), 'utf8')) as { version: string }
    assert.equal(program('--version'), `vmpkg ${version}\n`)
    for (const name of ['openpgp', 'tar', 'got', 'execa'])
      symlinkSync(join(TOP, 'node_modules', name), join(packed.folder, 'node_modules', name))
    assert.equal(program('doctor', '--help'), await cli.ok(['doctor', '--help']))
    assert.equal(program('help', 'clone'), await cli.ok(['help', 'clone']))

    const registry = await buildRegistry({
      clock: fixedClock(new Date()),
      packages: [{ name: 'app-one', images: { disk: noise('one', 3 * 1024 ** 2) } }],
    })
    t.after(async () => registry[Symbol.asyncDispose]())
    program('source', 'add', 'test', registry.folder, '--root-file', join(registry.folder, 'root', '1.json'))
    program('update')
    program('download', 'app-one')
    assert.match(await cli.ok(['verify', '--json']), /vmpkg\.verify/)
    assert.match(program('show', 'app-one'), /app-one/)
    program('new', 'app-mine', '--out', cli.folder)
    assert.equal(program('lint', join(cli.folder, 'app-mine')), '')
    const licences = readFileSync(join(packed.unpacked, 'dist/program/LICENSES'), 'utf8')
    for (const name of ['zod', 'yaml', 'handlebars', 'fast-xml-parser', 'commander', 'diff'])
      assert.match(licences, new RegExp(`^${name} \\d`, 'm'))
  })

  test('holds its README, and publint finds nothing to complain of', (t) => {
    assert.match(readFileSync(join(packed.unpacked, 'src/libvirt/README.md'), 'utf8'), /^# vmpkg\/libvirt/)
    const { status, output } = packed.publint()
    assert.equal(status, 0, output)
    const sizes = globSync(join(packed.unpacked, 'dist/libvirt/*')).map((path) => [path, statSync(path).size] as const)
    const sum = (end: string) => sizes.reduce((all, [path, size]) => all + (path.endsWith(end) ? size : 0), 0)
    t.diagnostic(
      `vmpkg: ${packed.archiveBytes} bytes packed; dist/libvirt: ${sum('')} bytes, of these ${sum('.js')} JavaScript and ${sum('.d.ts')} declarations`,
    )
  })
})
