/**
 * Finds QEMU and the UEFI firmware that domains name in their XML.
 *
 * Source: QEMU's `--version` line; the firmware descriptors that distributions install under /usr/share/qemu/firmware
 * (QEMU's docs/interop/firmware.json). Not hostile: both belong to root.
 */
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { checkTools, findTool, SYSTEM_PATH } from './tools.ts'

export interface Emulator {
  readonly path: string
  /** As QEMU names it, such as `7.2.22`. */
  readonly version: string
}

/** @throws {VmpkgError} `TOOL_MISSING`, `HOST_UNSUPPORTED` when it does not run */
export async function getEmulator(processes: Processes): Promise<Emulator> {
  await checkTools(['qemu-system-x86_64'])
  const path = (await findTool('qemu-system-x86_64')) ?? 'qemu-system-x86_64'
  const result = await processes.run(path, ['--version'], { env: { PATH: SYSTEM_PATH, LANG: 'C' }, timeoutMs: 10_000 })
  const version = parseEmulatorVersion(result.stdout)
  if (version !== undefined) return { path, version }
  const said = JSON.stringify(result.stderr.trim().slice(0, 200))
  throw new VmpkgError('HOST_UNSUPPORTED', `${path} does not tell its version: ${said}`, {
    hint: 'Run: sudo apt-get install --reinstall qemu-system-x86',
  })
}

/** `undefined` when the text is not what `qemu-system-x86_64 --version` prints. */
export function parseEmulatorVersion(text: string): string | undefined {
  return /^QEMU emulator version (\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1]
}

/** A UEFI firmware in two flash files; the second is the template of a domain's own variables. */
export interface Firmware {
  readonly code: string
  readonly variables: string
  readonly secureBoot: boolean
}

const descriptorSchema = z.looseObject({
  'interface-types': z.array(z.string()),
  mapping: z.looseObject({
    device: z.string(),
    executable: z.looseObject({ filename: z.string(), format: z.string() }).optional(),
    'nvram-template': z.looseObject({ filename: z.string(), format: z.string() }).optional(),
  }),
  targets: z.array(z.looseObject({ architecture: z.string(), machines: z.array(z.string()) })),
  features: z.array(z.string()),
})

const FIRMWARE_FOLDER = '/usr/share/qemu/firmware'

/** The raw x86-64 firmware for q35 whose files exist, best first as the distribution sorts them. */
export async function listFirmware(folder = FIRMWARE_FOLDER): Promise<Firmware[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json')).toSorted()
  const described = await Promise.all(
    names.map(async (name) => parseFirmware(await readFile(join(folder, name), 'utf8'))),
  )
  const found = described.filter((firmware) => firmware !== undefined)
  const areThere = await Promise.all(
    found.map(async ({ code, variables }) => (await exists(code)) && (await exists(variables))),
  )
  return found.filter((_, index) => areThere[index])
}

/** `undefined` for a descriptor of another architecture, machine, interface or file format. */
export function parseFirmware(text: string): Firmware | undefined {
  const parsed = descriptorSchema.safeParse(parseJson(text))
  if (!parsed.success) return undefined
  const { mapping, targets, features, 'interface-types': interfaces } = parsed.data
  const { executable, 'nvram-template': template } = mapping
  const fits = targets.some(
    ({ architecture, machines }) =>
      architecture === 'x86_64' && machines.some((machine) => machine.startsWith('pc-q35')),
  )
  if (!fits || !interfaces.includes('uefi') || mapping.device !== 'flash') return undefined
  if (executable?.format !== 'raw' || template?.format !== 'raw') return undefined
  return { code: executable.filename, variables: template.filename, secureBoot: features.includes('secure-boot') }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
