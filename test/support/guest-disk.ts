/**
 * Disks with file systems on them, made without mounting anything: by mke2fs -d, mkfs.xfs -p, mkfs.btrfs --rootdir,
 * mcopy and ntfscp; and chains of qcow2 layers in which a file changes, written by debugfs through a raw copy.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Content by path, absolute. */
export type Files = Readonly<Record<string, string | Uint8Array>>

export type DiskKind = 'ext' | 'xfs' | 'btrfs' | 'ntfs' | 'fat'

export function run(program: string, args: readonly string[], input?: string): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  })
}

/** A file system with these files in a file of that many MiB. @param options further words of the program that makes it */
export function makeFilesystem(
  kind: DiskKind,
  file: string,
  files: Files,
  { mebibytes = kind === 'xfs' ? 320 : kind === 'btrfs' ? 128 : 48, options = [] as readonly string[] } = {},
): void {
  const folder = `${file}.files`
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  mkdirSync(folder, { recursive: true })
  run('truncate', ['-s', `${mebibytes}M`, file])
  if (kind === 'ext') run('mke2fs', ['-q', '-F', '-t', 'ext4', ...options, '-d', folder, file])
  else if (kind === 'xfs') {
    writeFileSync(`${file}.proto`, xfsPrototype(folder, files))
    run('mkfs.xfs', ['-q', '-f', ...options, '-p', `${file}.proto`, file])
  } else if (kind === 'btrfs') run('mkfs.btrfs', ['-q', '-f', ...options, '--rootdir', folder, file])
  else if (kind === 'fat') {
    run('mkfs.vfat', [...options, file])
    const top = new Set(Object.keys(files).map((path) => path.split('/')[1] ?? ''))
    run('mcopy', ['-s', '-i', file, ...[...top].map((name) => join(folder, name)), '::/'])
  } else {
    run('mkntfs', ['-q', '-F', ...options, file])
    for (const path of Object.keys(files)) run('ntfscp', ['-q', file, join(folder, path), path])
  }
}

/** mkfs.xfs has a language of its own for what is in the new file system. */
function xfsPrototype(folder: string, files: Files): string {
  interface Node {
    readonly [name: string]: Node | string
  }
  const tree: Record<string, Node | string> = {}
  for (const path of Object.keys(files)) {
    const steps = path.split('/').filter(Boolean)
    let at = tree
    for (const step of steps.slice(0, -1)) at = (at[step] ??= {}) as Record<string, Node | string>
    at[steps.at(-1) ?? ''] = join(folder, path)
  }
  const format = (node: Node): string[] => [
    ...Object.entries(node).flatMap(([name, value]) =>
      typeof value === 'string' ? [`${name} ---644 0 0 ${value}`] : [`${name} d--755 0 0`, ...format(value)],
    ),
    '$',
  ]
  return ['/', '0 0', 'd--755 0 0', ...format(tree), ''].join('\n')
}

/** A GPT disk whose only partitions hold these file systems, 1 MiB apart. */
export function makePartitionedDisk(file: string, partitions: readonly string[], label: 'gpt' | 'dos' = 'gpt'): void {
  const sizes = partitions.map((one) => Number(run('stat', ['-c', '%s', one]).trim()) / 1024 ** 2)
  const total = sizes.reduce((sum, size) => sum + size, 2)
  run('truncate', ['-s', `${total}M`, file])
  let start = 1
  const lines = sizes.map((size) => {
    const line = `start=${start}MiB, size=${size}MiB`
    start += size
    return line
  })
  run('sfdisk', ['-q', file], `label: ${label}\n${lines.join('\n')}\n`)
  start = 1
  for (const [index, one] of partitions.entries()) {
    run('dd', [`if=${one}`, `of=${file}`, 'bs=1M', `seek=${start}`, 'conv=notrunc,sparse', 'status=none'])
    start += sizes[index] ?? 0
  }
}

/** Changes in an ext4 file system that lies in a raw file, as words for debugfs. */
export function editExt(file: string, commands: readonly string[], offset = 0): void {
  run('debugfs', ['-w', '-f', '-', offset === 0 ? file : `${file}?offset=${offset}`], `${commands.join('\n')}\n`)
}

/**
 * A chain of qcow2 layers `0.qcow2` … in the folder: the first holds `base`, each further one what `change` did to a raw
 * copy of the disk.
 */
export function makeChain(
  folder: string,
  base: string,
  changes: readonly ((raw: string) => void)[],
): readonly string[] {
  const path = (index: number): string => join(folder, `${index}.qcow2`)
  const raw = join(folder, 'work.raw')
  run('qemu-img', ['convert', '-O', 'qcow2', base, path(0)])
  run('cp', ['--sparse=always', base, raw])
  for (const [index, change] of changes.entries()) {
    change(raw)
    run('qemu-img', ['convert', '-O', 'qcow2', '-B', path(index), '-F', 'qcow2', raw, path(index + 1)])
  }
  run('rm', [raw])
  return [path(0), ...changes.map((_, index) => path(index + 1))]
}
