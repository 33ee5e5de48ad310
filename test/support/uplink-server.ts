/**
 * A web server on the uplink of a private host: run inside its namespaces, it puts a documentation address (RFC 5737) on
 * the loopback there and says to each client which address it came from. Also used by ./quickstart.
 *
 *     node test/support/uplink-server.ts 198.51.100.1 8080
 */
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'

const [address = '198.51.100.1', port = '8080'] = process.argv.slice(2)
const present = execFileSync('ip', ['-o', 'address', 'show', 'dev', 'lo']).toString().includes(` ${address}/`)
if (!present) execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo'])
const server = createServer((request, response) => {
  response.end(`Hello from the uplink: you came from ${request.socket.remoteAddress ?? 'nowhere'}\n`)
})
server.listen(Number(port), address, () => process.stdout.write('listening\n'))
process.stdin.on('end', () => process.exit(0)).resume() // ends with the one who started it
