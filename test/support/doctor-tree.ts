/** A host as a folder, for doctor: files with their text, modes where they matter, and programs that only print. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { CheckResult, DoctorHost } from '../../src/host/doctor-check.ts'
import { realProcesses } from './real-processes.ts'
import { makeTempFolder } from './temp-folder.ts'

export async function makeDoctorHost(
  t: Pick<TestContext, 'after'>,
  files: Readonly<Record<string, string>>,
  more: { readonly uid?: number; readonly modes?: Readonly<Record<string, number>> } = {},
): Promise<DoctorHost> {
  const root = await makeTempFolder(t)
  await chmod(root, 0o755)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
    if (path.startsWith('/usr/bin/')) await chmod(join(root, path), 0o755)
  }
  for (const [path, mode] of Object.entries(more.modes ?? {})) await chmod(join(root, path), mode)
  return { root, path: join(root, 'usr/bin'), uid: more.uid ?? 1000, userName: 'ann', processes: realProcesses }
}

export function statusOf(checks: readonly CheckResult[], id: string): string {
  return checks.find((check) => check.id === id)?.status ?? 'missing'
}
