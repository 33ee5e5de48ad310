/** `localAgent` as a process of its own, on a socket: it outlives a vmpkg that is killed, as the agent of a guest does. */
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { localAgent } from './local-agent.ts'

const [socket = ''] = process.argv.slice(2)
const agent = localAgent()

/** One JSON command a line, one JSON answer. */
createServer((client) => {
  client.on('error', () => {})
  const lines = createInterface(client)
  lines.on('error', () => {}) // of the client, once more: it was killed
  lines.on('line', (command) => {
    agent.agentCommand({ command }).then(
      (answer) => client.end(`${answer ?? ''}\n`),
      (error: unknown) => client.end(`${JSON.stringify({ error: { desc: String(error) } })}\n`),
    )
  })
}).listen(socket, () => process.stdout.write('listening\n'))
