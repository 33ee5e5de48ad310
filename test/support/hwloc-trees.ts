/** The sysfs trees of real machines that hwloc tests itself with, unpacked into a folder of the test. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { debianSource } from './debian-source.ts'
import { realProcesses } from './real-processes.ts'

export const HWLOC_TREES_WITH_PCI = [
  '2pa-pcidomain32bits',
  '32em64t-2n8c+1mic',
  '32intel64-2p8co2t+8ve',
  '40intel64-2g2n4c+pci',
  '40intel64-4n10c+pci-conflicts',
  'nvidiagpunumanodes',
] as const

/** @returns root of the machine's file tree: `sys`, `proc` and maybe `dev` lie in it */
export async function unpackHwlocTree(name: string, folder: string): Promise<string> {
  const source = await debianSource('hwloc', { suite: 'bookworm', only: ['tests'] })
  const archive = join(source, 'tests', 'hwloc', 'linux', `${name}.tar.bz2`)
  const target = join(folder, name)
  await mkdir(target, { recursive: true })
  const args = ['--extract', '--no-same-owner', '--strip-components=1', '-C', target, '-f', archive]
  const { exitCode, stderr } = await realProcesses.run('tar', args)
  if (exitCode !== 0) throw new Error(`tar ${name}: ${stderr}`)
  return target
}
