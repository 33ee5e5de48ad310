import { finished } from 'node:stream/promises'
import { Connect } from 'vmpkg/libvirt'

const ESCAPE = 0x1d // Ctrl-], as in virsh
const [name = 'guest'] = process.argv.slice(2)

await using connect = await Connect.open()
const domain = await connect.domainLookupByName({ name })
const stream = await domain.openConsole()
console.log(`connected to ${name}, Ctrl-] leaves`)
if (process.stdin.isTTY) process.stdin.setRawMode(true)
process.stdin.on('data', (typed: Buffer) => {
  if (typed.includes(ESCAPE)) stream.end()
  else stream.write(typed)
})
stream.pipe(process.stdout)
await finished(stream)
process.stdin.destroy() // else it keeps the process
