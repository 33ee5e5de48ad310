/** A picture of a machine's screen, as virsh screenshot takes it, in PNG. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { getMachine } from '../domain/inventory.ts'
import { encodePng, isPng, parsePixmap } from '../domain/picture.ts'
import { VmpkgError } from '../errors.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { writeOutput } from './output-file.ts'
import type { Workspace } from './workspace.ts'

/** Four bytes a pixel of 8 K: whatever is larger is no screen. */
const MAXIMUM_BYTES = 128 * 1024 * 1024

export interface ScreenshotRequest {
  readonly name: string
  /** Screens count from 0 over all graphics cards. */
  readonly screen: number
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` */
export async function takeScreenshot(workspace: Workspace, { name, screen }: ScreenshotRequest): Promise<Buffer> {
  const { domain } = await getMachine(await workspace.connect(), name)
  if (!(await domain.isActive())) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is not running, so there is nothing on its screen`, {
      hint: `vmpkg start ${name}`,
    })
  }
  try {
    const { stream } = await domain.screenshot({ screen })
    const parts: Buffer[] = []
    let size = 0
    for await (const part of stream) {
      parts.push(part as Buffer)
      size += (part as Buffer).length
      if (size > MAXIMUM_BYTES) {
        stream.destroy()
        throw new VmpkgError('DOMAIN_STATE', `What ${name} gives as its screen is larger than any screen`)
      }
    }
    const bytes = Buffer.concat(parts)
    return isPng(bytes) ? bytes : encodePng(parsePixmap(bytes))
  } catch (cause) {
    if (!(cause instanceof LibvirtError)) throw cause
    throw new VmpkgError('DOMAIN_STATE', `${name} has no screen ${screen}`, {
      hint: `A machine without a graphics card has its serial console: vmpkg console ${name}`,
      cause,
    })
  }
}

/** @returns the file. @throws {VmpkgError} as `takeScreenshot`, `USAGE` where the file is there */
export async function saveScreenshot(
  workspace: Workspace,
  request: ScreenshotRequest & { readonly file: string | undefined; readonly replace: boolean },
): Promise<{ readonly file: string; readonly bytes: number }> {
  const png = await takeScreenshot(workspace, request)
  const file = resolve(workspace.folder, request.file ?? `${request.name}.png`)
  await writeOutput({ target: file, replace: request.replace, mode: 0o600 }, async (temporary) =>
    writeFile(temporary, png),
  )
  return { file, bytes: png.length }
}
