/** Parameters that take a file of the host: read once, when they are set; from then on the value is what was in it. */
import { readFileSync, statSync } from 'node:fs'
import { VmpkgError } from '../errors.ts'
import type { Parameter, ParameterValue, ParameterValues } from '../model/manifest.ts'
import { formatStoredFile, isStoredFile, MAX_STORED_FILE_BYTES, parseStoredFile } from '../model/stored-file.ts'
import { parseVpnProfile, type VpnProfile } from '../router/vpn-profile.ts'

const VPN_FORMAT = 'vpn-profile'
type Definitions = Readonly<Record<string, Parameter>>

/** @throws {VmpkgError} `PARAMETER_INVALID` for a file that cannot be read, `VPN_PROFILE_INVALID` */
export function storeFiles(definitions: Definitions, values: ParameterValues): ParameterValues {
  return Object.fromEntries(
    Object.entries(values).map(([name, one]) => {
      const definition = definitions[name]
      if (definition?.type !== 'file') return [name, one]
      const value = readStored(name, String(one.value))
      if (definition.format === VPN_FORMAT) refuseUntaken(parseStored(value))
      return [name, { ...one, value }]
    }),
  )
}

/** Routers open tunnels of OpenVPN and of WireGuard. */
function refuseUntaken(profile: VpnProfile | undefined): void {
  if (profile?.kind !== 'ssh') return
  throw new VmpkgError('VPN_PROFILE_INVALID', `VPN profile ${profile.name}: no router opens tunnels of SSH`, {
    hint: 'Give a profile of OpenVPN or WireGuard.',
  })
}

function readStored(parameter: string, value: string): string {
  if (isStoredFile(value)) return value
  const refuse = (reason: string, cause?: unknown): VmpkgError =>
    new VmpkgError('PARAMETER_INVALID', `Parameter ${JSON.stringify(parameter)}: ${JSON.stringify(value)} ${reason}`, {
      hint: `Give the path of a file of at most ${MAX_STORED_FILE_BYTES / 1024} KiB.`,
      cause,
      details: { parameter },
    })
  try {
    const found = statSync(value)
    if (!found.isFile()) throw refuse('is no file')
    if (found.size > MAX_STORED_FILE_BYTES) throw refuse('is too large')
    return formatStoredFile(value, readFileSync(value))
  } catch (cause) {
    throw cause instanceof VmpkgError ? cause : refuse('cannot be read', cause)
  }
}

/** The profile among a package's values. @throws {VmpkgError} `VPN_PROFILE_INVALID` */
export function findVpnProfile(definitions: Definitions, values: ParameterValues): VpnProfile | undefined {
  const [name] = Object.entries(definitions).find(([, one]) => one.type === 'file' && one.format === VPN_FORMAT) ?? []
  const value = name === undefined ? undefined : values[name]?.value
  return value === undefined ? undefined : parseStored(value)
}

function parseStored(value: ParameterValue): VpnProfile | undefined {
  const file = parseStoredFile(value)
  return file === undefined ? undefined : parseVpnProfile(file.name, file.text)
}

/** What templates may see: no file, whose content is a secret and would end in the XML of a domain. */
export function templateValues(
  definitions: Definitions,
  values: ParameterValues,
): Readonly<Record<string, ParameterValue>> {
  const shown = Object.entries(values).filter(([name]) => definitions[name]?.type !== 'file')
  return Object.fromEntries(shown.map(([name, { value }]) => [name, value]))
}
