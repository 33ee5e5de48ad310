import { once } from 'node:events'
import { isLoopback, serveRegistry } from '../../operations/repo-serve.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry>',
  summary: 'Serve a registry folder over HTTP, for trying things out, until Ctrl-C.',
  description: 'Only files of a registry are served: no lists of folders, no submissions, nothing behind links.',
  options: [
    { flags: '--listen <address:port>', summary: 'where (default 127.0.0.1:8080; port 0: any free one)' },
    { flags: '--public', summary: 'let other machines reach it' },
  ],
  examples: ['vmpkg repo serve ./registry', 'vmpkg repo serve ./registry --listen 127.0.0.1:0 --json'],
  async run({ args, options, io }) {
    const [registry = ''] = args
    const server = await serveRegistry({
      registry,
      listen: optionText(options, 'listen') ?? '127.0.0.1:8080',
      isPublic: options['public'] === true,
      onRequest: ({ client, method, path, status, bytes }) =>
        io.note(`${new Date().toISOString()} ${client} ${method} ${JSON.stringify(path)} ${status} ${bytes}`),
    })
    try {
      if (!isLoopback(server.url.hostname.replaceAll(/[[\]]/g, ''))) {
        const message = 'Other machines can reach this server; it is made for trying things out'
        io.emit({ type: 'warned', code: 'USAGE', message, hint: 'Put a web server in front of the folder for good.' })
      }
      if (io.json) io.printJson('repo-serve', { url: server.url.href })
      else io.print(`Serving ${registry} at ${server.url.href} until Ctrl-C`)
      if (!io.signal.aborted) await once(io.signal, 'abort')
    } finally {
      await server.close()
    }
    return 0
  },
}
