/** Mirrors for tests: the real HTTP client, short waits. */
import type { Mirror } from '../../src/fetch/mirror.ts'
import { createHttp } from '../../src/node/http.ts'

export const TEST_HTTP = createHttp({ userAgent: 'vmpkg-test' })

export function testMirror(base: URL, changes: Partial<Mirror> = {}): Mirror {
  return {
    http: TEST_HTTP,
    base,
    stall: { floor: 1024, windowMs: 2000 },
    retry: { fruitless: 3, total: 20, delayMs: 1 },
    ...changes,
  }
}
