/** Watches every event of a daemon during the exercise, and remembers which were decoded. */
import type { Connect } from '../../../src/libvirt/connect.ts'
import { LibvirtError } from '../../../src/libvirt/error.ts'
import { type EventName, type EventOf, events } from '../../../src/libvirt/events.ts'
import type { Driver } from './recorder.ts'

export interface EventWatch {
  readonly seen: ReadonlyMap<EventName, ReadonlySet<Driver>>
  /** Error names of registrations that the real driver refused. */
  readonly refused: ReadonlyMap<EventName, string>
  /** Waits until an event that this accepts has come since the watch began; at most a minute: a machine may be busy. */
  until<N extends EventName>(name: N, accepts: (event: EventOf<N>) => boolean): Promise<void>
  stop(): Promise<void>
}

const LIMIT_MS = 60_000

export async function watchEvents(connections: Readonly<Partial<Record<Driver, Connect>>>): Promise<EventWatch> {
  const seen = new Map<EventName, Set<Driver>>()
  const refused = new Map<EventName, string>()
  const kept = new Map<EventName, unknown[]>()
  const wake = new EventTarget()
  const feeds = await Promise.all(
    (Object.entries(connections) as [Driver, Connect][]).flatMap(([driver, connect]) =>
      (Object.keys(events) as EventName[]).map(async (name) => {
        const feed = connect.events(name)
        const reading = (async () => {
          for await (const event of feed) {
            seen.set(name, (seen.get(name) ?? new Set<Driver>()).add(driver))
            if (driver === 'real') kept.set(name, [...(kept.get(name) ?? []), event])
            wake.dispatchEvent(new Event(name))
          }
        })().catch((error: unknown) => {
          const why = error instanceof LibvirtError ? error.codeName : String(error)
          if (driver === 'real') refused.set(name, why)
        })
        await feed.ready.catch(() => {})
        return { feed, reading }
      }),
    ),
  )
  return {
    seen,
    refused,
    async until<N extends EventName>(name: N, accepts: (event: EventOf<N>) => boolean) {
      const has = () => (kept.get(name) ?? []).some((event) => accepts(event as EventOf<N>))
      const end = AbortSignal.timeout(LIMIT_MS)
      while (!has()) {
        const came = await new Promise<boolean>((resolve) => {
          wake.addEventListener(name, () => resolve(true), { once: true })
          end.addEventListener('abort', () => resolve(false), { once: true })
        })
        if (!came) throw new Error(`no such event ${name} came within ${LIMIT_MS} ms`)
      }
    },
    async stop() {
      for (const { feed, reading } of feeds) {
        await feed.return()
        await reading
      }
    },
  }
}
