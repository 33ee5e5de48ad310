/** docs/publishing.md: its command blocks run as they stand, one after the other, and its tables are true. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { COMMANDS } from '../../src/cli/commands.ts'
import { freePort } from '../support/free-port.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { tinyApp } from '../support/tiny-packages.ts'

const TOP = join(import.meta.dirname, '..', '..')
const page = await readFile(join(TOP, 'docs/publishing.md'), 'utf8')
const blocks = [...page.matchAll(/```sh\n([^`]+)```/g)].map(([, script = '']) => script)
const withoutCurl = spawnSync('curl', ['--version']).status === 0 ? false : 'curl is not installed'

describe('docs/publishing.md', () => {
  test('has command blocks that all work', { skip: withoutCurl, timeout: 600_000 }, async (t) => {
    const folder = await makeTempFolder(t)
    await using builder = await buildRegistry()
    const built = await builder.build(tinyApp('app-hello', { manifest: 'description: Says hello' }))
    await cp(built, join(folder, 'built/app-hello_1.0-1_amd64'), { recursive: true })
    await mkdir(join(folder, 'bin'))
    const program = `#!/bin/sh\nexec '${process.execPath}' '${join(TOP, 'src/bin.ts')}' "$@"\n`
    await writeFile(join(folder, 'bin/vmpkg'), program, { mode: 0o755 })
    const port = String(await freePort())
    const env = {
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      VMPKG_ROOT: join(folder, 'root'),
      VMPKG_CONNECT: 'private:page',
      VMPKG_PASSPHRASE: 'only for this test',
    }
    assert.ok(blocks.length >= 12)
    for (const block of blocks) {
      const script = block.replaceAll(':8080', `:${port}`)
      const child = spawn('bash', ['-eu', '-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
      const output: Buffer[] = []
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
      const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
      assert.equal(status, 0, `${script}\n${Buffer.concat(output).toString()}`)
    }
    const root = JSON.parse(await readFile(join(folder, 'registry/root/3.json'), 'utf8')) as { signatures: unknown[] }
    assert.equal(root.signatures.length, 3)
  })

  test('names every publishing command, and a schema for each that prints JSON', () => {
    for (const { name, group } of COMMANDS) {
      if (group !== 'Publishing' || ['build', 'key generate'].includes(name)) continue
      assert.ok(page.includes(`\`${name}`) || page.includes(`vmpkg ${name} `), name)
    }
  })
})
