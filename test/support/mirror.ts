/** Mirrors for tests: the real HTTP client, short waits. */
import type { Mirror } from '../../src/fetch/mirror.ts'
import { systemHttp } from '../../src/node/http.ts'

export function testMirror(base: URL, changes: Partial<Mirror> = {}): Mirror {
  return {
    http: systemHttp({}),
    base,
    stall: { floor: 1024, windowMs: 2000 },
    retry: { fruitless: 3, total: 20, delayMs: 1 },
    ...changes,
  }
}
