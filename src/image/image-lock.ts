/**
 * Holds an image so that no QEMU can open it, and none has it open: by the locks that QEMU itself puts on files, taken by
 * `qemu-io`, which sits there until it is told to go. Guests that only read it, as one does that stands on it, count too.
 *
 * Source: QEMU docs/system/qemu-block-drivers (image locking), `blkdebug`. Test oracle: a QEMU that has the file open.
 */
import { PassThrough } from 'node:stream'
import { driverFor } from './qemu-node.ts'
import { explainFailure, runTool, type ToolOptions } from './qemu-tool.ts'

/** Lets go when `work` is done. @throws {VmpkgError} `IMAGE_IN_USE` `TOOL_MISSING` `ABORTED`, and what `work` throws */
export async function whileHeld<T>(
  options: Pick<ToolOptions, 'file' | 'processes' | 'signal'>,
  work: () => Promise<T>,
): Promise<T> {
  const { file } = options
  const node = {
    driver: 'blkdebug',
    'take-child-perms': ['write'],
    'unshare-child-perms': ['write', 'resize'],
    image: { driver: driverFor(file), filename: file },
  }
  const input = new PassThrough()
  const held = Promise.withResolvers<void>()
  const ended = runTool('qemu-io', [`json:${JSON.stringify(node)}`], {
    ...options,
    maxFileBytes: 0,
    input,
    // Its prompt comes once the file is open.
    onOutput: (text) => (text.includes('qemu-io>') ? held.resolve() : undefined),
  })
  ended.then((result) => held.reject(explainFailure('qemu-io', file, result)), held.reject)
  await held.promise
  try {
    return await work()
  } finally {
    input.end('quit\n')
    await ended.catch(() => {})
  }
}
