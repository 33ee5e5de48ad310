/**
 * Holds an image so that no QEMU can open it, and none has it open: by the locks that QEMU itself puts on files, taken by
 * `qemu-io`, which sits there until it is told to go. Guests that only read it, as one does that stands on it, count too.
 *
 * Source: QEMU docs/system/qemu-block-drivers (image locking), `blkdebug`. Test oracle: a QEMU that has the file open.
 */
import { PassThrough } from 'node:stream'
import { explainFailure, runTool, type ToolOptions } from './qemu-tool.ts'

/** @throws {VmpkgError} `IMAGE_IN_USE` `TOOL_MISSING` `ABORTED` */
export async function holdImage(
  options: Pick<ToolOptions, 'file' | 'processes' | 'signal'>,
): Promise<AsyncDisposable & { readonly file: string }> {
  const { file } = options
  const node = {
    driver: 'blkdebug',
    'take-child-perms': ['write'],
    'unshare-child-perms': ['write', 'resize'],
    image: { driver: 'file', filename: file },
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
  return {
    file,
    async [Symbol.asyncDispose]() {
      input.end('quit\n')
      await ended.catch(() => {})
    },
  }
}
