import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { debianPackages } from '../../src/node/debian-packages.ts'
import { systemProcesses as processes } from '../../src/node/processes.ts'

describe('systemProcesses', () => {
  test('returns output and exit code without a shell', async () => {
    const result = await processes.run('printf', ['%s|', '$HOME; exit', 'b'])
    assert.deepEqual(result, { exitCode: 0, stdout: '$HOME; exit|b|', stderr: '' })
    assert.equal((await processes.run('sh', ['-c', 'echo no >&2; exit 3'])).exitCode, 3)
    assert.equal((await processes.run('sh', ['-c', 'echo no >&2; exit 3'])).stderr, 'no\n')
  })

  test('hands over input and replaces the environment entirely', async () => {
    assert.equal((await processes.run('cat', [], { input: 'text' })).stdout, 'text')
    assert.equal((await processes.run('cat', [], { input: new Uint8Array([104, 105]) })).stdout, 'hi')
    assert.equal((await processes.run('cat', [])).stdout, '')
    assert.equal((await processes.run('/usr/bin/env', [], { env: { A: '1' } })).stdout, 'A=1\n')
    assert.equal((await processes.run('pwd', [], { cwd: '/usr' })).stdout, '/usr\n')
  })

  test('tells output as it comes, and takes input as it comes', async () => {
    const input = new PassThrough()
    const told: string[] = []
    const onOutput = (text: string): void => {
      told.push(text)
      if (told.length === 1) input.end('second\n')
    }
    const running = processes.run('cat', [], { input, onOutput })
    input.write('first\n')
    assert.equal((await running).stdout, 'first\nsecond\n')
    assert.deepEqual(told, ['first\n', 'second\n'])
  })

  test('names the Debian package of a missing program', async () => {
    await assert.rejects(processes.run('/nowhere/qemu-img', []), {
      code: 'TOOL_MISSING',
      hint: 'Install it with: apt install qemu-utils',
    })
    await assert.rejects(processes.run('no-such-program-at-all', []), { code: 'TOOL_MISSING', hint: 'Install it.' })
  })

  test('keeps standard input open as long as a stream, and hands output on as it comes', async () => {
    const input = new PassThrough()
    const seen: string[] = []
    const result = await processes.run('sh', ['-c', 'echo ready; cat; echo done'], {
      input,
      output: async (stdout) => {
        for await (const chunk of stdout) {
          seen.push(Buffer.from(chunk).toString())
          if (seen.join('') === 'ready\n') input.end('words\n')
        }
      },
    })
    assert.deepEqual([result.exitCode, result.stdout, seen.join('')], [0, '', 'ready\nwords\ndone\n'])
    assert.equal(seen[0], 'ready\n')
  })

  test('ends a program whose output is not wanted any more', async () => {
    const stop = processes.run('yes', [], {
      output: async (stdout) => {
        for await (const chunk of stdout) if (chunk.length > 0) throw new Error('enough')
      },
    })
    await assert.rejects(stop, /enough/)
  })

  test('kills what takes too long or is no longer wanted', async () => {
    assert.equal((await processes.run('sleep', ['20'], { timeoutMs: 100 })).exitCode, 124)
    await assert.rejects(processes.run('sleep', ['20'], { signal: AbortSignal.timeout(100) }), { code: 'ABORTED' })
  })
})

describe('debianPackages', () => {
  test('agrees with dpkg on every program that is installed here', () => {
    for (const [program, debianPackage = ''] of Object.entries(debianPackages)) {
      const path = execFileSync('sh', ['-c', `command -v ${program} || true`])
        .toString()
        .trim()
      if (path === '') continue
      const owners = execFileSync('sh', [
        '-c',
        `dpkg -S "$1" "/usr$1" "$(readlink -f "$1")" 2>/dev/null || true`,
        'sh',
        path,
      ])
      const names = [...owners.toString().matchAll(/^([a-z0-9.+-]+)[:,]/gm)].map(([, name]) => name)
      if (names.length > 0) assert.ok(names.includes(debianPackage), `${program}: ${names.join(' ')}`)
    }
  })
})
