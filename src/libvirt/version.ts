/** The numbers libvirt gives for releases of itself and of a hypervisor. */

/** `9.0.0` for 9000000: millions are the major number, thousands the minor one. For `getLibVersion` and `getVersion`. */
export function formatVersion(version: number): string {
  return [Math.floor(version / 1_000_000), Math.floor(version / 1000) % 1000, version % 1000].join('.')
}
