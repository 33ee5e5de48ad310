import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import { chooseFace, type RunningApp, showWindow } from '../../src/operations/run.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

interface Place {
  readonly workspace: Workspace
  readonly show: (script: string) => Promise<void>
  readonly interrupt: () => void
  /** The machine ends by itself. */
  readonly end: () => void
  readonly at: (name: string) => string
}

/** A libvirt with one machine, which runs until it is told to end; the viewer is a real program. */
async function makePlace(t: TestContext): Promise<Place> {
  const folder = await makeTempFolder(t)
  const abort = new AbortController()
  let active = true
  const workspace = {
    env: { PATH: '/usr/bin:/bin', DISPLAY: ':7' },
    connectionName: 'qemu:///system',
    uri: 'qemu:///system',
    outside: { signal: abort.signal, processes: systemProcesses },
    connect: async () => ({ domainLookupByUuid: async () => ({ isActive: async () => active }) }),
  } as unknown as Workspace
  const program = join(folder, 'virt-viewer')
  const app = { uuid: 'u', display: undefined } as unknown as RunningApp
  return {
    workspace,
    at: (name) => join(folder, name),
    interrupt: () => abort.abort(),
    end: () => {
      active = false
    },
    show: async (script) => {
      await writeFile(program, `#!/bin/sh\ncd '${folder}'\n${script}\n`, { mode: 0o755 })
      return showWindow(workspace, app, { name: 'virt-viewer', program })
    },
  }
}

describe('showWindow', () => {
  test('returns when the viewer is closed, which got the machine and the user’s display', async (t) => {
    const { show, at } = await makePlace(t)
    await show('[ "$*" = "--connect qemu:///system --attach -- u" ] && [ "$DISPLAY" = :7 ] && echo >shown')
    assert.ok(existsSync(at('shown')))
  })

  test('tells what a viewer said that failed', async (t) => {
    const { show } = await makePlace(t)
    await assert.rejects(show('echo "cannot open display: :7" >&2; exit 3'), (error) => {
      assert.ok(isVmpkgError(error, 'VIEWER_FAILED'))
      assert.match(error.message, /virt-viewer ended with status 3: "cannot open display: :7"/)
      return true
    })
  })

  test('ends a viewer that stays when the machine has ended', async (t) => {
    const { show, end } = await makePlace(t)
    setTimeout(end, 100)
    await show('exec sleep 60')
  })

  test('takes it for no failure that a viewer complains when the machine ends', async (t) => {
    const { show, end } = await makePlace(t)
    end()
    await show('exit 1')
  })

  test('ends the viewer when it is interrupted', async (t) => {
    const { show, interrupt } = await makePlace(t)
    setTimeout(interrupt, 100)
    await assert.rejects(show('exec sleep 60'), (error) => isVmpkgError(error, 'ABORTED'))
  })
})

describe('chooseFace', () => {
  const without = (env: Record<string, string>): Workspace =>
    ({ env, connectionName: 'private' }) as unknown as Workspace

  test('is the console without a display or a viewer, and says why', async () => {
    const silent = await chooseFace(without({ PATH: '/nowhere' }), undefined)
    assert.deepEqual([silent.face.kind, /DISPLAY/.test(silent.reason)], ['console', true])
    const bare = await chooseFace(without({ PATH: '/nowhere', DISPLAY: ':0' }), undefined)
    assert.deepEqual([bare.face.kind, /apt install virt-viewer/.test(bare.reason)], ['console', true])
  })

  test('is what the user says', async () => {
    assert.equal((await chooseFace(without({ DISPLAY: ':0' }), 'none')).face.kind, 'none')
    assert.equal((await chooseFace(without({ DISPLAY: ':0' }), 'console')).face.kind, 'console')
  })
})
