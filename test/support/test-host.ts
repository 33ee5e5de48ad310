/** A host without libvirt, in this process: folders of its own, a clock that a test sets, and the warnings it gave. */
import type { TestContext } from 'node:test'
import type { VmpkgEvent } from '../../src/events.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { addSource } from '../../src/operations/source-add.ts'
import { update } from '../../src/operations/update.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import type { Clock } from '../../src/ports.ts'
import { makeTempFolder } from './temp-folder.ts'

export interface TestHost {
  /** What `--root` names. */
  readonly root: string
  readonly warnings: Extract<VmpkgEvent, { type: 'warned' }>[]
  /** One command: opens the workspace with the lock and closes it. */
  run<T>(use: (workspace: Workspace) => T | Promise<T>): Promise<T>
  /** Adds a registry folder as a source, trusting its first root file. */
  add(
    name: string,
    folder: string,
    more?: { readonly minimumVersion?: number; readonly expiry?: string },
  ): Promise<void>
  readonly update: () => ReturnType<typeof update>
}

export async function makeTestHost(t: Pick<TestContext, 'after'>, clock: Clock): Promise<TestHost> {
  const root = await makeTempFolder(t)
  const warnings: TestHost['warnings'] = []
  const emit = (event: VmpkgEvent): void => {
    if (event.type === 'warned') warnings.push(event)
  }
  const run: TestHost['run'] = async (use) => {
    const outside = { ...systemOutside({ emit, signal: new AbortController().signal, env: {}, offline: false }), clock }
    const workspace = await openWorkspace({
      outside,
      root,
      connect: 'private:threats',
      env: {},
      uid: process.getuid?.() ?? 0,
      home: root,
      folder: root,
      command: ['test'],
      write: true,
    })
    try {
      return await use(workspace)
    } finally {
      await workspace.close()
    }
  }
  return {
    root,
    warnings,
    run,
    add: (name, folder, { minimumVersion, expiry } = {}) =>
      run(async (workspace) => {
        const rootFile = `${folder}/root/1.json`
        await addSource(workspace, { name, url: folder, rootFile, fingerprints: [], expiry, minimumVersion })
      }),
    update: () => run(update),
  }
}
