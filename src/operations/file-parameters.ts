/** Parameters that take a file of the host: read once, when they are set; from then on the value is what was in it. */
import { readFileSync, statSync } from 'node:fs'
import { VmpkgError } from '../errors.ts'
import type { Parameter, ParameterValue, ParameterValues } from '../model/manifest.ts'
import { formatStoredFile, isStoredFile, MAX_STORED_FILE_BYTES, parseStoredFile } from '../model/stored-file.ts'
import type { TorContext } from '../model/template-context.ts'
import {
  formatKeptProfiles,
  KEPT_PROFILES_FORMAT,
  type KeptProfile,
  parseKeptProfiles,
} from '../router/kept-profiles.ts'
import {
  formatOpenvpnServer,
  OPENVPN_SERVER_FORMAT,
  type OpenvpnServer,
  parseOpenvpnServer,
} from '../router/openvpn-server.ts'
import { parseTorNetwork, type TorNetwork } from '../router/tor-network.ts'
import { parseVpnProfile, type VpnProfile } from '../router/vpn-profile.ts'
import { formatVpnServer, parseVpnServer, VPN_SERVER_FORMAT, type VpnServer } from '../router/vpn-server.ts'

const VPN_FORMAT = 'vpn-profile'
const TOR_FORMAT = 'tor-network'
type Definitions = Readonly<Record<string, Parameter>>

/** @throws {VmpkgError} `PARAMETER_INVALID` for a file that cannot be read, `VPN_PROFILE_INVALID`, `TOR_NETWORK_INVALID` */
export function storeFiles(definitions: Definitions, values: ParameterValues): ParameterValues {
  return Object.fromEntries(
    Object.entries(values).map(([name, one]) => {
      const definition = definitions[name]
      if (definition?.type !== 'file') return [name, one]
      const value = readStored(name, String(one.value))
      if (definition.format === VPN_SERVER_FORMAT)
        return [name, { ...one, value: storeVpnServer(parseVpnServer(textOf(value))) }]
      if (definition.format === OPENVPN_SERVER_FORMAT) {
        return [name, { ...one, value: storeOpenvpnServer(parseOpenvpnServer(textOf(value))) }]
      }
      if (definition.format === VPN_FORMAT) parseStored(value)
      if (definition.format === KEPT_PROFILES_FORMAT) {
        return [name, { ...one, value: storeKeptProfiles(parseKeptProfiles(parseStoredFile(value)?.text ?? '')) }]
      }
      if (definition.format === TOR_FORMAT) parseNetwork(value)
      return [name, { ...one, value }]
    }),
  )
}

/** Names of the parameters that a package takes profiles by; none for one that opens no tunnel. */
export function findVpnParameters(
  definitions: Definitions,
): { readonly used: string; readonly kept: string | undefined } | undefined {
  const used = findFormat(definitions, VPN_FORMAT)
  return used === undefined ? undefined : { used, kept: findFormat(definitions, KEPT_PROFILES_FORMAT) }
}

/** @throws {VmpkgError} `SIZE_EXCEEDED` */
export function storeKeptProfiles(profiles: readonly KeptProfile[]): string {
  return formatStoredFile(KEPT_PROFILES_FORMAT, Buffer.from(formatKeptProfiles(profiles)))
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
  const name = findFormat(definitions, VPN_FORMAT)
  const value = name === undefined ? undefined : values[name]?.value
  return value === undefined ? undefined : parseStored(value)
}

function parseStored(value: ParameterValue): VpnProfile | undefined {
  const file = parseStoredFile(value)
  return file === undefined ? undefined : parseVpnProfile(file.name, file.text)
}

const PUBLIC_TOR: TorContext = {
  name: 'public',
  kind: 'public',
  isTesting: false,
  usesConsensus: true,
  authorities: [],
  bridges: [],
  endpoints: [],
}

/** Of a package that takes one; without a file the public network. @throws {VmpkgError} `TOR_NETWORK_INVALID` */
export function findTorContext(definitions: Definitions, values: ParameterValues): TorContext | undefined {
  const name = findFormat(definitions, TOR_FORMAT)
  if (name === undefined) return undefined
  const value = values[name]?.value
  return (value === undefined ? undefined : parseNetwork(value)) ?? PUBLIC_TOR
}

function parseNetwork(value: ParameterValue): TorNetwork | undefined {
  const file = parseStoredFile(value)
  return file === undefined ? undefined : parseTorNetwork(file.name, file.text)
}

/** By the name that it is kept under, so that a router's values alone tell it. @throws {VmpkgError} `PARAMETER_INVALID` */
export function findVpnServer(values: ParameterValues): VpnServer | undefined {
  const text = findNamed(values, VPN_SERVER_FORMAT)
  return text === undefined ? undefined : parseVpnServer(text)
}

/** As `findVpnServer`, of one that speaks OpenVPN. @throws {VmpkgError} `PARAMETER_INVALID` */
export function findOpenvpnServer(values: ParameterValues): OpenvpnServer | undefined {
  const text = findNamed(values, OPENVPN_SERVER_FORMAT)
  return text === undefined ? undefined : parseOpenvpnServer(text)
}

function findNamed(values: ParameterValues, name: string): string | undefined {
  const stored = Object.values(values).map(({ value }) => parseStoredFile(value))
  return stored.find((one) => one?.name === name)?.text
}

function textOf(value: ParameterValue): string {
  return parseStoredFile(value)?.text ?? ''
}

export function storeVpnServer(server: VpnServer): string {
  return formatStoredFile(VPN_SERVER_FORMAT, Buffer.from(formatVpnServer(server)))
}

export function storeOpenvpnServer(server: OpenvpnServer): string {
  return formatStoredFile(OPENVPN_SERVER_FORMAT, Buffer.from(formatOpenvpnServer(server)))
}

/** Names of the parameters that a package keeps them in; `undefined` for what it cannot be. */
export function findServerParameters(definitions: Definitions): {
  readonly wireguard: string | undefined
  readonly openvpn: string | undefined
} {
  return {
    wireguard: findFormat(definitions, VPN_SERVER_FORMAT),
    openvpn: findFormat(definitions, OPENVPN_SERVER_FORMAT),
  }
}

function findFormat(definitions: Definitions, format: string): string | undefined {
  return Object.entries(definitions).find(([, one]) => one.type === 'file' && one.format === format)?.[0]
}

/** What templates may see: no file, whose content is a secret and would end in the XML of a domain. */
export function templateValues(
  definitions: Definitions,
  values: ParameterValues,
): Readonly<Record<string, ParameterValue>> {
  const shown = Object.entries(values).filter(([name]) => definitions[name]?.type !== 'file')
  return Object.fromEntries(shown.map(([name, { value }]) => [name, value]))
}
