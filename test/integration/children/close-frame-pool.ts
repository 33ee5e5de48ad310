/** Closes frame pools when answers of their threads are on their way, with nothing else that keeps the process alive. */
import { FramePool } from '../../../src/image/frame-pool.ts'

// Whether an answer is read after the pool began to close is a matter of chance: several rounds.
for (let round = 0; round < 12; round++) {
  const pool = new FramePool(2)
  const frame = (size: number) => pool.submit({ kind: 'encode', raw: new Uint8Array(size), level: 19 })
  const [first, ...others] = [frame(1024), frame(1024), frame(1024), frame(1024)]
  for (const answer of others) answer.catch(() => {})
  await first
  // Meanwhile the threads end what they have.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  await pool[Symbol.asyncDispose]()
}
console.log('closed')
