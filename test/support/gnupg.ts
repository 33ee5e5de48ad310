/** Real GnuPG in a home of its own, as an oracle: it makes keys and signatures that we did not make, and checks ours. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A reason to skip, or `false`. */
export const withoutGnupg = spawnSync('gpg', ['--version']).status === 0 ? false : 'gpg is not installed'
export const withoutGpgv = spawnSync('gpgv', ['--version']).status === 0 ? false : 'gpgv is not installed'

export interface Gnupg {
  readonly home: string
  /** Runs gpg and returns its standard output. `at` (`20260101T000000`) is the time it believes. */
  gpg(args: readonly string[], at?: string): Promise<Buffer>
  /** Makes a key without passphrase and returns its fingerprint. */
  makeKey(name: string, algorithm: string, expires?: string, options?: readonly string[], at?: string): Promise<string>
  certificate(fingerprint: string): Promise<Uint8Array>
  sign(message: Uint8Array, key: string, options?: readonly string[], at?: string): Promise<Uint8Array>
  revoke(fingerprint: string): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function openGnupg(): Promise<Gnupg> {
  const home = await mkdtemp(join(tmpdir(), 'vmpkg-gpg-'))
  const gpg = async (args: readonly string[], at = '20260201T000000') => {
    const all = [
      '--homedir',
      home,
      '--batch',
      '--yes',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      '',
      '--faked-system-time',
      `${at}!`,
    ]
    return (await run('gpg', [...all, ...args], { encoding: 'buffer' })).stdout
  }
  return {
    home,
    gpg,
    async makeKey(name, algorithm, expires = 'never', options = [], at = '20260101T000000') {
      await gpg([...options, '--quick-generate-key', name, algorithm, 'sign', expires], at)
      const listing = (await gpg(['--list-keys', '--with-colons', name], at)).toString()
      return /^fpr:+([0-9A-F]{40}):/m.exec(listing)?.[1] ?? ''
    },
    certificate: (fingerprint) => gpg(['--export', fingerprint]),
    async sign(message, key, options = [], at = '20260301T000000') {
      const file = join(home, 'message')
      await writeFile(file, message)
      await gpg([...options, '--local-user', key, '--detach-sign', '--output', `${file}.sig`, file], at)
      return readFile(`${file}.sig`)
    },
    async revoke(fingerprint) {
      const folder = join(home, 'openpgp-revocs.d')
      const [name = ''] = (await readdir(folder)).filter((one) => one.startsWith(fingerprint))
      const text = (await readFile(join(folder, name), 'utf8')).replace(/^:-----/m, '-----')
      await writeFile(join(home, 'revocation'), text)
      await gpg(['--import', join(home, 'revocation')])
    },
    async [Symbol.asyncDispose]() {
      await run('gpgconf', ['--homedir', home, '--kill', 'all']).catch(() => undefined)
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Exit status and status lines of `gpgv` over a detached signature, with exactly one certificate as its keyring. */
export async function gpgv(certificate: Uint8Array, signature: Uint8Array, message: Uint8Array) {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-gpgv-'))
  try {
    const [ring, sig, data] = ['ring', 'sig', 'data'].map((name) => join(folder, name)) as [string, string, string]
    await Promise.all([writeFile(ring, certificate), writeFile(sig, signature), writeFile(data, message)])
    const { status, stdout } = spawnSync('gpgv', [
      '--homedir',
      folder,
      '--keyring',
      ring,
      '--status-fd',
      '1',
      sig,
      data,
    ])
    return { status, lines: stdout.toString() }
  } finally {
    await rm(folder, { recursive: true })
  }
}
