/** A swap of a test's own, in a file that can be read raw, and a kernel that is asked to page a process out to it. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Mapping, readMappings } from './process-memory.ts'

export interface Swap extends AsyncDisposable {
  holds(bytes: Buffer): Promise<boolean>
}

/** On a loop device, so that the file has what was written, and not what the cache of a swap file remembers. */
export async function makeSwap(mebibytes: number): Promise<Swap> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-swap-'))
  const file = join(folder, 'swap.img')
  const run = (program: string, ...words: readonly string[]): string =>
    execFileSync(program, words, { stdio: 'pipe' }).toString().trim()
  await writeFile(file, '', { mode: 0o600 })
  await truncate(file, mebibytes * 2 ** 20)
  const device = run('/usr/sbin/losetup', '--find', '--show', file)
  const close = async (): Promise<void> => {
    run('/usr/sbin/losetup', '--detach', device)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    run('/usr/sbin/mkswap', device)
    run('/usr/sbin/swapon', device)
  } catch (error) {
    await close()
    throw error
  }
  return {
    async holds(bytes) {
      run('sync', '-f', file)
      return (await readFile(file)).includes(bytes)
    },
    [Symbol.asyncDispose]: async () => {
      run('/usr/sbin/swapoff', device)
      await close()
    },
  }
}

/** process_madvise(2) with MADV_PAGEOUT; both numbers are those of x86 and arm alike. */
const PAGE_OUT = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
class Range(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
pid, start, end = (int(word) for word in sys.argv[1:])
where, done = os.pidfd_open(pid), 0
while start < end:
    part = Range(start, min(end - start, 1 << 30))
    got = libc.syscall(440, where, ctypes.byref(part), 1, 21, 0)
    if got <= 0:
        print(os.strerror(ctypes.get_errno()) if got < 0 else 'nothing')
        break
    start += got; done += got
print(done)
`

/** @returns what the kernel says: the last line is how many bytes it took */
export function pageOut(pid: number, { start, end }: Mapping): string {
  const words = ['-c', PAGE_OUT, String(pid), String(start), String(end)]
  return execFileSync('python3', words, { encoding: 'utf8' }).trim()
}

/** Bytes of a process that are in a swap, once nothing of it is on its way any more. */
export async function swappedBytes(pid: number): Promise<number> {
  await sleep(500)
  await readMappings(pid)
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmSwap:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024
}
