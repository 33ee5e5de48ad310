/**
 * A web server beyond the uplink of a private host: run inside its namespaces, it stands in the world (`outside-world.sh`) at
 * a documentation address (RFC 5737) and says to each client which address it came from. `/colour/1e8c3c` is a page of that
 * colour, `/bytes/1000` are a thousand zeros. Also used by ./quickstart.
 *
 *     node test/support/uplink-server.ts 198.51.100.1 8080
 */
import { execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { join } from 'node:path'

const [address = '198.51.100.1', port = '8080', place] = process.argv.slice(2)
if (place === undefined) {
  const world = join(import.meta.dirname, 'outside-world.sh')
  const words = [world, address, process.execPath, import.meta.filename, address, port, 'here']
  spawn('sh', words, { stdio: 'inherit' }).once('exit', (status) => process.exit(status ?? 1))
} else {
  const present = execFileSync('ip', ['-o', 'address', 'show']).toString().includes(` ${address}/`)
  if (!present) execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo'])
  const server = createServer((request, response) => {
    const [, colour] = /^\/colour\/([0-9a-f]{6})$/.exec(request.url ?? '') ?? []
    if (colour !== undefined) {
      response.setHeader('content-type', 'text/html')
      response.end(`<!doctype html><title>colour</title><body style="background:#${colour}">`)
      return
    }
    const [, count] = /^\/bytes\/(\d{1,9})$/.exec(request.url ?? '') ?? []
    if (count !== undefined) {
      response.end(Buffer.alloc(Number(count)))
      return
    }
    response.end(`Hello from the uplink: you came from ${request.socket.remoteAddress ?? 'nowhere'}\n`)
  })
  server.listen(Number(port), address, () => process.stdout.write('listening\n'))
  process.stdin.on('end', () => process.exit(0)).resume() // ends with the one who started it
}
