/** The examples of the README, run from the packed package against a session daemon of their own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import { bootSector, GREETING, guestXml } from '../support/guest-xml.ts'
import { type PackedPackage, packPackage } from '../support/packed-package.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'

const root = join(import.meta.dirname, '../..')
const folder = join(root, 'docs/libvirt/examples')
const examples = readdirSync(folder)

test('the README shows every example as it is', () => {
  const readme = readFileSync(join(root, 'src/libvirt/README.md'), 'utf8')
  assert.equal(examples.length, 5)
  for (const name of examples) {
    const code = readFileSync(join(folder, name), 'utf8')
    assert.ok(
      readme.includes(`\`\`\`ts\n${code}\`\`\`\n`),
      `src/libvirt/README.md differs from docs/libvirt/examples/${name}`,
    )
  }
})

test('the links of the README and the guide lead to files', () => {
  for (const page of ['src/libvirt/README.md', 'docs/libvirt.md'])
    for (const [, target = ''] of readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
      assert.ok(
        target.startsWith('https:') || existsSync(join(root, dirname(page), target)),
        `${page} links to ${target}`,
      )
})

describe('the examples', { skip: withoutLibvirt, timeout: 240_000 }, () => {
  let packed: PackedPackage
  let daemon: PrivateLibvirt
  let connect: Connect
  before(async () => {
    packed = packPackage()
    writeFileSync(join(packed.folder, 'package.json'), '{ "type": "module" }')
    for (const name of examples) copyFileSync(join(folder, name), join(packed.folder, name))
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri())
  })
  after(async () => {
    await connect?.close()
    await daemon?.stop()
    packed?.[Symbol.dispose]()
  })

  /** A running example; \`ended\` gives what it printed once it is over. */
  function start(name: string, ...args: readonly string[]) {
    const env = { ...daemon.env, LIBVIRT_DEFAULT_URI: daemon.uri() }
    const child = spawn(process.execPath, [name, ...args], { cwd: packed.folder, env })
    const [output, errors] = [text(child.stdout), text(child.stderr)]
    const code = new Promise((resolve) => child.once('close', resolve))
    const ended = Promise.all([output, errors, code]).then(([out, err, status]) => {
      assert.deepEqual([err, status], ['', 0])
      return out
    })
    const said = (words: string) =>
      new Promise<void>((resolve, reject) => {
        let seen = ''
        child.stdout.on('data', (chunk: Buffer) => {
          seen += chunk.toString()
          if (seen.includes(words)) resolve()
        })
        child.once('close', () => reject(new Error(`${name} ended after ${JSON.stringify(seen)}`)))
      })
    return { ended, said, write: (words: string) => child.stdin.write(words) }
  }

  test('define-and-start starts its domain, and list shows it with its state', async () => {
    await connect.domainDefineXML({ xml: guestXml({ name: 'idle' }) })
    assert.match(await start('define-and-start.ts').ended, /^first [0-9a-f-]{36} running\n$/)
    assert.deepEqual((await start('list.ts').ended).split('\n').toSorted(), ['', 'first running', 'idle shutoff'])
  })

  test('follow-events tells what happens to domains until one is undefined', async () => {
    const example = start('follow-events.ts')
    await example.said('following')
    const domain = await connect.domainDefineXML({ xml: guestXml({ name: 'watched' }) })
    await domain.create()
    await domain.destroy()
    await domain.undefine()
    const lines = (await example.ended).split('\n').filter((line) => line.startsWith('watched'))
    const steps = [
      'watched defined added',
      'watched started booted',
      'watched stopped destroyed',
      'watched undefined removed',
    ]
    assert.deepEqual(
      lines.filter((line) => steps.includes(line)),
      steps,
      lines.join(),
    )
  })

  test('console shows what the guest says, sends what is typed, and leaves at Ctrl-]', async () => {
    const disk = await daemon.makeFile(join(await daemon.makeFolder('disks'), 'boot.raw'), bootSector())
    const domain = await connect.domainDefineXML({ xml: guestXml({ name: 'talks', disk }) })
    await domain.create({ flags: ['paused'] })
    const example = start('console.ts', 'talks')
    const [greeted, echoed] = [example.said(GREETING), example.said('typed')]
    echoed.catch(() => {})
    await example.said('Ctrl-] leaves') // the guest speaks once: it runs when the console is open
    await domain.resume()
    await greeted
    example.write('typed')
    await echoed
    example.write('\u001d')
    assert.equal(await example.ended, `connected to talks, Ctrl-] leaves\n${GREETING}typed`)
    await domain.destroy()
  })

  test('volume copies a file up and down with its progress', async () => {
    const target = await daemon.makeFolder('pool')
    const pool = await connect.storagePoolCreateXML({
      xml: `<pool type='dir'><name>images</name><target><path>${target}</path></target></pool>`,
    })
    const content = Buffer.concat([randomBytes(1_000_000), Buffer.alloc(3_000_000), randomBytes(500_000)])
    const file = join(packed.folder, 'disk.raw')
    writeFileSync(file, content)
    const lines = (await start('volume.ts', 'images', file).ended).split('\n')
    assert.deepEqual(
      lines.map((line) => line.split('\r').at(-1)),
      ['up 100 %', 'down 100 %', ''],
    )
    assert.ok(readFileSync(`${file}.back`).equals(content))
    assert.equal((await pool.listAllVolumes()).length, 1)
  })
})
