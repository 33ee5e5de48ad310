/**
 * Where the parts of a guest run on the host: which CPUs its processors, its emulator and its I/O threads have, and which
 * memory. Made by the planner of pins from facts about the host; read by templates.
 */
export interface Placement {
  readonly vcpuPins: readonly { readonly vcpu: number; readonly cpus: readonly number[] }[]
  readonly emulatorCpus: readonly number[]
  readonly iothreadPins: readonly { readonly iothread: number; readonly cpus: readonly number[] }[]
  /** Host NUMA nodes that memory comes from (numatune). */
  readonly memoryNodes: readonly number[]
  readonly topology: {
    readonly sockets: number
    readonly dies: number
    readonly cores: number
    readonly threads: number
  }
  /** Guest NUMA cells; one without NUMA. `pageKib` where huge pages are used. */
  readonly cells: readonly {
    readonly id: number
    readonly vcpus: readonly number[]
    readonly memoryKib: number
    readonly hostNode?: number
    readonly pageKib?: number
  }[]
  /** One sentence for each choice. */
  readonly reasons: readonly string[]
}
