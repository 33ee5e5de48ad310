/** Which mount a folder lies in. Source: proc_pid_mountinfo(5). Pure. */

export interface FolderMount {
  readonly point: string
  readonly type: string
  /** `8:1`. */
  readonly device: string
  /** Of the file system, such as `discard` or `noswap`. */
  readonly options: readonly string[]
}

/** Of several at one place the last is seen. @param folder absolute, without links */
export function findMount(folder: string, mountinfo: string): FolderMount | undefined {
  let best: FolderMount | undefined
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ')
    const [, , device = '', , escaped] = left.split(' ')
    const [type = '', , options = ''] = right.split(' ')
    if (escaped === undefined) continue
    const point = escaped.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    )
    const holds = point === '/' || folder === point || folder.startsWith(`${point}/`)
    if (holds && point.length >= (best?.point.length ?? 0)) best = { point, type, device, options: options.split(',') }
  }
  return best
}
