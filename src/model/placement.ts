/** Where a machine's processors and memory come from on its host: made by the planner, rendered into the domain. */

export interface VcpuPin {
  readonly vcpu: number
  readonly cpus: readonly number[]
}

export interface GuestCell {
  readonly id: number
  readonly vcpus: readonly number[]
  readonly memoryKib: number
  /** NUMA node of the host that its memory comes from; absent where the host has no NUMA. */
  readonly hostNode?: number
  /** Size of the huge pages that back it; absent for ordinary pages. */
  readonly pageKib?: number
}

export interface Placement {
  readonly vcpuPins: readonly VcpuPin[]
  readonly emulatorCpus: readonly number[]
  /** `iothread` counts from 1, as libvirt does. */
  readonly iothreadPins: readonly { readonly iothread: number; readonly cpus: readonly number[] }[]
  /** Host NUMA nodes that memory comes from (numatune); empty where the host has no NUMA. */
  readonly memoryNodes: readonly number[]
  readonly topology: {
    readonly sockets: number
    /** Per socket. */
    readonly dies: number
    /** Per die. */
    readonly cores: number
    readonly threads: number
  }
  /** Guest NUMA cells; one cell is a guest without NUMA. */
  readonly cells: readonly GuestCell[]
  /** Why it is so, one sentence each. */
  readonly reasons: readonly string[]
}
