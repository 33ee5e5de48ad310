/** docs/authoring.md: the tutorial's command blocks run as they stand, one after the other. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'

const TOP = join(import.meta.dirname, '..', '..')
const page = await readFile(join(TOP, 'docs/authoring.md'), 'utf8')
const skip = await privateHostMissing()
const blocks = [...page.matchAll(/```sh\n([^`]+)```/g)].map(([, script = '']) => script)

describe('docs/authoring.md', () => {
  test('has command blocks that all work', { skip, timeout: 600_000 }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'vmpkg-'))
    await mkdir(join(folder, 'bin'))
    const program = `#!/bin/sh\nexec '${process.execPath}' '${join(TOP, 'src/bin.ts')}' "$@"\n`
    await writeFile(join(folder, 'bin/vmpkg'), program, { mode: 0o755 })
    const env = {
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      LANG: 'C.UTF-8',
      VMPKG_ROOT: join(folder, 'root'),
      VMPKG_CONNECT: 'private:authoring',
      VMPKG_PASSPHRASE: 'only for this test',
    }
    const run = async (script: string): Promise<{ readonly status: number | null; readonly output: string }> => {
      const child = spawn('bash', ['-eu', '-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
      const output: Buffer[] = []
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
      const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
      return { status, output: Buffer.concat(output).toString() }
    }
    t.after(async () => {
      await run('vmpkg host private stop authoring --purge')
      await rm(folder, { recursive: true, force: true })
    })
    assert.ok(blocks.length >= 6)
    const outputs: string[] = []
    for (const block of blocks) {
      const { status, output } = await run(block)
      assert.equal(status, 0, `${block}\n${output}`)
      outputs.push(output)
    }
    const all = outputs.join('')
    assert.match(all, /domain\/devices\/input/, 'the mistake is named by its path')
    assert.match(all, /vcpus/, 'the value out of bounds is named')
  })
})
