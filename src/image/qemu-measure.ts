/** How large a file of a disk becomes. Source: qemu-img(1), `measure`. Test oracle: the files that come out. */
import type { ImageFormat } from './format.ts'
import { needTool, type ToolOptions } from './qemu-tool.ts'

/** Bytes that a file of the disk takes without compression. QEMU measures qcow2 only, whose clusters are like the others'. */
export async function measureNeeded(
  node: string,
  format: ImageFormat,
  tool: Omit<ToolOptions, 'maxFileBytes'>,
): Promise<number> {
  const clusterSize = `cluster_size=${format === 'vdi' ? '1M' : '64k'}`
  const args = ['measure', '-U', '--output=json', '-O', 'qcow2', '-o', clusterSize, node]
  const { stdout } = await needTool('qemu-img', args, { ...tool, maxFileBytes: 0 })
  return Number((JSON.parse(stdout) as { readonly required: unknown }).required)
}

/** No file of this disk becomes larger, whatever its format. */
export function largestFile(virtualSize: number): number {
  return Math.ceil(virtualSize * 1.05) + 64 * 2 ** 20
}
