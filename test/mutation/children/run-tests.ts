/** Runs test files in this process, one after the other, and ends with status 1 at the first failure. */
import { run } from 'node:test'

const stream = run({ files: process.argv.slice(2), isolation: 'none', concurrency: false })
stream.on('test:fail', () => process.exit(1))
stream.on('end', () => process.exit(0))
stream.resume()
