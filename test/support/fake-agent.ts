/**
 * The agent of a router that has no guest: a socket that libvirt opens in place of the guest's channel. It loads what is
 * on the medium in the drive, as a guest would, and attests that; tests say when it refuses or says nothing.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Site } from './site.ts'

const execute = promisify(execFile)

export interface Question {
  readonly router: string
  readonly verb: string
  readonly argument: string | undefined
}

export interface FakeAgent {
  /** Text of a file on the medium that is in the drive now. */
  read(file: string): Promise<string>
  close(): Promise<void>
}

/**
 * For the next start of this router.
 * @param hear each question before it is answered: nothing is said for `silent`, and an error for any other text
 */
export async function fakeAgent(
  site: Site,
  router: string,
  hear: (question: Question) => Promise<string | undefined>,
): Promise<FakeAgent> {
  const path = join(site.cli.folder, `${router}.agent`)
  const read: FakeAgent['read'] = async (file) => {
    const xml = await site.virsh('dumpxml', router)
    const [, medium = ''] = /<disk type='file' device='cdrom'>.*?<source file='([^']+)'/s.exec(xml) ?? []
    const folder = await mkdtemp(join(site.cli.folder, 'medium-'))
    try {
      await execute('xorriso', ['-osirrox', 'on', '-indev', medium, '-extract', `/${file}`, join(folder, 'file')])
      return await readFile(join(folder, 'file'), 'utf8')
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  const answer = async (line: string): Promise<string> => {
    const [verb = '', nonce = '', argument] = line.split(' ')
    const error = await hear({ router, verb, argument })
    if (error === 'silent') return ''
    const sha256 = createHash('sha256')
      .update(await read('nftables.nft'))
      .digest('hex')
    const reply = error === undefined ? { ok: true, rules: { sha256, matches: true } } : { ok: false, error }
    return `${JSON.stringify({ vmpkg: 1, nonce, verb, ...reply })}\n`
  }
  const server = createServer((socket) => {
    socket.on('error', () => {})
    createInterface(socket).on('line', (line) => void answer(line).then((text) => socket.write(text)))
  })
  await new Promise<void>((resolve) => void server.listen(path, resolve))
  const file = join(site.cli.folder, `${router}.xml`)
  const xml = await site.virsh('dumpxml', router, '--inactive', '--security-info')
  await writeFile(file, xml.replace("<channel type='unix'>", `$&<source mode='connect' path='${path}'/>`))
  await site.virsh('define', file)
  return { read, close: async () => void server.close() }
}
