/**
 * Where libvirt's daemons listen, and which of them may be started (remote_sockets of libvirt). A modular daemon is
 * named after its driver (`virtqemud`, `virtnetworkd`, …); the old names are libvirtd's, or virtproxyd's where the
 * daemons are modular.
 */

/** What of the surroundings decides where a daemon is. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The effective one. */
  readonly uid: number
  readonly home: string
  readonly exists: (path: string) => boolean
  /** The text of a file, `undefined` where there is none. */
  readonly read: (path: string) => string | undefined
}

export const MODES = ['auto', 'direct', 'legacy'] as const
export type Mode = (typeof MODES)[number]

export interface DaemonPlace {
  /** Sockets to try in order. */
  readonly sockets: readonly string[]
  /** Programs that may be started to listen there, by preference. */
  readonly programs: readonly string[]
}

/**
 * The modular daemon's socket where it exists, else the old one's; where neither exists both are tried, and either
 * daemon may be started.
 */
export function placeOf(
  driver: string,
  mode: Mode,
  isSession: boolean,
  readonly: boolean,
  around: Surroundings,
): DaemonPlace {
  const folder = isSession ? sessionFolder(around) : SYSTEM_FOLDER
  const modular = `${folder}/virt${driver}d${suffix(isSession, readonly)}`
  const monolithic = `${folder}/libvirt${suffix(isSession, readonly)}`
  const programs = [`virt${driver}d`, 'libvirtd']
  if (mode === 'direct') return { sockets: [modular], programs: programs.slice(0, 1) }
  if (mode === 'legacy') return { sockets: [monolithic], programs: programs.slice(1) }
  return { sockets: around.exists(modular) ? [modular, monolithic] : [monolithic, modular], programs }
}

/** The system daemon's socket on another machine, where nobody can look what exists: the old name, as in libvirt. */
export function systemSocket(driver: string, mode: Mode, readonly: boolean): string {
  return `${SYSTEM_FOLDER}/${mode === 'direct' ? `virt${driver}d` : 'libvirt'}${suffix(false, readonly)}`
}

/** Under /var, which is right on machines with /run too, for a far machine may have none. */
const SYSTEM_FOLDER = '/var/run/libvirt'

/** `$XDG_RUNTIME_DIR`, else the cache folder, and in it `libvirt`. */
function sessionFolder({ env, home }: Surroundings): string {
  return `${env['XDG_RUNTIME_DIR'] || env['XDG_CACHE_HOME'] || `${home}/.cache`}/libvirt`
}

/** The user's folder of client settings. */
export function userConfigFolder({ env, home }: Surroundings): string {
  return `${env['XDG_CONFIG_HOME'] || `${home}/.config`}/libvirt`
}

/** A session has one socket for both. */
function suffix(isSession: boolean, readonly: boolean): string {
  return readonly && !isSession ? '-sock-ro' : '-sock'
}
