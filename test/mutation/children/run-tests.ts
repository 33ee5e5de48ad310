/**
 * Runs test files in this process, one after the other, and ends with status 1 at the first failure. Tests that take
 * thousands of rounds are left out: what they notice, the first rounds of others notice too.
 */
import { run } from 'node:test'

const EXHAUSTIVE = [/after any one bit/, /chain without end/, /any one byte/]
const stream = run({
  files: process.argv.slice(2),
  isolation: 'none',
  concurrency: false,
  testSkipPatterns: EXHAUSTIVE,
})
stream.on('test:fail', () => process.exit(1))
stream.on('end', () => process.exit(0))
stream.resume()
