/** Debian's docker-registry on the loopback interface, with what a test wants of it: passwords, tokens, TLS, its own garbage collection. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Daemon, startDaemon } from './daemon.ts'
import { freePort } from './free-port.ts'

const PROGRAM = '/usr/bin/docker-registry'

export const withoutOci: string | false = existsSync(PROGRAM) ? false : 'docker-registry is not installed'

export interface OciRegistryOptions {
  /** Lines of `user:bcrypt`. */
  readonly htpasswd?: string
  /** Tokens of a server of the test's, signed by the key of this certificate. */
  readonly token?: { readonly realm: string; readonly certificate: string }
  /** PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** False where the server refuses to delete, as it does without a word in its settings. */
  readonly canDelete?: boolean
}

export interface OciRegistry extends AsyncDisposable {
  readonly port: number
  /** `127.0.0.1:port`. */
  readonly host: string
  /** Folder of all that it stores. */
  readonly storage: string
  /** Ends it, collects garbage as its manual says (without tags: manifests that no tag names as well), starts it again. */
  collectGarbage(options?: { readonly untagged?: boolean }): Promise<string>
}

/** @param work a folder for settings, storage and log */
export async function startOciRegistry(work: string, options: OciRegistryOptions = {}): Promise<OciRegistry> {
  const port = await freePort()
  await mkdir(work, { recursive: true })
  const [settings = '', storage = '', log = '', passwords = ''] = ['config.yml', 'storage', 'log', 'htpasswd'].map(
    (name) => join(work, name),
  )
  const { htpasswd, token, tls, canDelete = true } = options
  if (htpasswd !== undefined) await writeFile(passwords, htpasswd)
  const config = {
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: canDelete } },
    http: { addr: `127.0.0.1:${port}`, ...(tls && { tls: { certificate: tls.certificate, key: tls.key } }) },
    ...(htpasswd !== undefined && { auth: { htpasswd: { realm: 'test', path: passwords } } }),
    ...(token && {
      auth: { token: { realm: token.realm, service: 'test', issuer: 'test', rootcertbundle: token.certificate } },
    }),
  }
  await mkdir(storage, { recursive: true })
  await writeFile(settings, JSON.stringify(config)) // which is YAML as well
  const start = async (): Promise<Daemon> =>
    startDaemon(['sh', '-c', `exec ${PROGRAM} serve "$1" > "$2" 2>&1`, 'sh', settings, log], port, () =>
      existsSync(log) ? readFileSync(log, 'utf8') : '',
    )
  let daemon = await start()
  return {
    port,
    host: `127.0.0.1:${port}`,
    storage,
    async collectGarbage({ untagged = false } = {}) {
      await daemon[Symbol.asyncDispose]()
      const words = ['garbage-collect', ...(untagged ? ['--delete-untagged'] : []), settings]
      const { stdout } = await promisify(execFile)(PROGRAM, words, { maxBuffer: 64 * 1024 * 1024 })
      daemon = await start()
      return stdout
    },
    [Symbol.asyncDispose]: async () => daemon[Symbol.asyncDispose](),
  }
}
