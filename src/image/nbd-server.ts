/**
 * Offers an image by `qemu-nbd` to this process alone while `use` runs. The server ends with its one client, whatever
 * ends that, and with the process that started it.
 *
 * Source: qemu-nbd(8), setpriv(1). Test oracle: `qemu-img compare`.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { type NbdDisk, type NbdOptions, openNbd } from './nbd-client.ts'
import { describeNode, type ImageLayer, type NodeOptions } from './qemu-node.ts'
import { explainFailure, runTool } from './qemu-tool.ts'

export interface ServeOptions {
  /** The image first, then what it stands on. */
  readonly layers: readonly ImageLayer[]
  readonly node?: NodeOptions
  readonly access: 'read' | 'write'
  /** Exists, is ours alone, and has a short name: the socket is made in it. */
  readonly folder: string
  readonly processes: Processes
  readonly signal?: AbortSignal | undefined
  /** Of the disk, in bytes. */
  readonly virtualSize: number
}

const EXPORT = 'disk'
const POLL_MS = 10
const PATIENCE_MS = 20_000
const LAST_WORDS_MS = 200
/** Of a socket that is bound, and of one that is about to be. */
const NOT_YET: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT'])
/** Tables of a qcow2 file, generously. */
const OVERHEAD_BYTES = 64 * 1024 * 1024

/** @throws {VmpkgError} `IMAGE_IN_USE` `IMAGE_INVALID` `TOOL_MISSING` `NO_SPACE` `ABORTED`, and what `use` throws */
export async function withServedImage<T>(options: ServeOptions, use: (disk: NbdDisk) => Promise<T>): Promise<T> {
  const { layers, node = {}, access, folder, processes, signal, virtualSize } = options
  const [top] = layers
  if (top === undefined) throw new TypeError('nothing to serve')
  const socket = join(folder, `n${process.hrtime.bigint() % 10_000_000n}`)
  const way = access === 'read' ? ['--read-only'] : ['--discard=unmap', '--detect-zeroes=unmap']
  const words = ['--socket', socket, '--export-name', EXPORT, ...way]
  const limit = access === 'read' ? 0 : virtualSize + Math.ceil(virtualSize / 512) + OVERHEAD_BYTES
  const state = { hasEnded: false }
  const over = new AbortController()
  const run = runTool('qemu-nbd', [...words, describeNode(layers, node)], {
    processes,
    signal: signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]),
    file: top.file,
    maxFileBytes: limit,
    diskBytes: virtualSize,
    diesWithUs: true,
  }).finally(() => {
    state.hasEnded = true
  })
  const waitForSocket = async (): Promise<boolean> => {
    for (let waited = 0; waited < PATIENCE_MS && !state.hasEnded; waited += POLL_MS) {
      if (await isThere(socket)) return true
      await sleep(POLL_MS)
    }
    return false
  }
  // Its failure is told below, once.
  const outcome = run.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  )
  if (!(await waitForSocket())) {
    const done = await Promise.race([outcome, sleep(POLL_MS)])
    if (done !== undefined && 'error' in done) throw done.error
    if (done !== undefined) throw explainFailure('qemu-nbd', top.file, done.result)
    throw new VmpkgError('DISK_FAILED', `qemu-nbd does not answer for ${JSON.stringify(top.file)}`)
  }
  const contexts = access === 'read' ? ['base:allocation'] : []
  let isOpen = false
  try {
    await using disk = await openListening({ socket, exportName: EXPORT, contexts, signal }, () => state.hasEnded)
    isOpen = true
    const value = await use(disk)
    if (access === 'write') await disk.flush()
    return value
  } catch (error) {
    const done = isOpen ? undefined : await Promise.race([outcome, sleep(LAST_WORDS_MS)])
    if (done !== undefined && 'result' in done && done.result.exitCode !== 0) {
      throw explainFailure('qemu-nbd', top.file, done.result) // it knows why it let nobody in
    }
    over.abort() // it ends after its first client, and perhaps there was none
    throw error
  } finally {
    await outcome // it lets the image go
  }
}

/** A socket is there a moment before its server listens at it. */
async function openListening(options: NbdOptions, hasEnded: () => boolean): Promise<NbdDisk> {
  for (let waited = 0; ; waited += POLL_MS) {
    try {
      return await openNbd(options)
    } catch (error) {
      const isRefused = error instanceof VmpkgError && NOT_YET.has(systemErrorCode(error.cause) ?? '')
      if (!isRefused || hasEnded() || waited >= PATIENCE_MS) throw error
    }
    await sleep(POLL_MS)
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false
    throw error
  }
}
