/**
 * The password for an OCI registry from where `docker login`, `podman login` and `oras login` leave it, then from vmpkg's
 * own `auth.conf`. Helpers that such a file names are programs; they are not run. Source: the manual page
 * containers-auth.json(5), docs.docker.com "docker login". Test oracle: a registry that lets us in.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { basicAuth } from '../fetch/open-file.ts'
import type { OciPlace } from '../model/oci.ts'
import { findAuth, readAuthFiles } from '../sources/auth-file.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface OciCredentialsOptions {
  readonly env: Environment
  readonly home: string
  /** `auth.conf`; none without it. */
  readonly authFile?: string | undefined
}

/** What each address is told, as in `Basic …`. @throws {VmpkgError} `SOURCE_INVALID` for an `auth.conf` that others may read */
export async function findOciLogin(
  { server, repository }: OciPlace,
  { env, home, authFile }: OciCredentialsOptions,
): Promise<(url: URL) => string | undefined> {
  const stored = new Map<string, string>()
  for (const file of storedIn(env, home)) {
    for (const [key, value] of readAuths(await readFile(file, 'utf8').catch(() => ''))) {
      if (!stored.has(key)) stored.set(key, value)
    }
  }
  const entries = authFile === undefined ? [] : await readAuthFiles(authFile)
  return (url) => {
    const isOwn = url.origin === server.origin
    const known = isOwn ? findStored(stored, url.host, repository) : findStored(stored, url.host, '')
    if (known !== undefined) return `Basic ${known}`
    const entry = findAuth(entries, new URL(`https://${url.host}${isOwn ? `/${repository}` : url.pathname}`))
    return entry === undefined ? undefined : basicAuth(entry.login, entry.password)
  }
}

/** The first that knows a registry counts. */
function storedIn(env: Environment, home: string): readonly string[] {
  const named = env['REGISTRY_AUTH_FILE']
  if (named !== undefined && named !== '') return [named]
  const runtime = env['XDG_RUNTIME_DIR']
  return [
    join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json'),
    ...(runtime === undefined || runtime === '' ? [] : [join(runtime, 'containers', 'auth.json')]),
  ]
}

/** `{"auths": {"host:port/some/path": {"auth": base64 of user:password}}}`; older keys are whole addresses. */
function readAuths(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  try {
    const { auths = {} } = JSON.parse(text) as { readonly auths?: Readonly<Record<string, unknown>> }
    for (const [key, value] of Object.entries(auths)) {
      const { auth } = (value ?? {}) as Partial<Record<string, unknown>>
      const place = key.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '')
      if (typeof auth === 'string' && /^[A-Za-z0-9+/]+=*$/.test(auth)) found.set(place, auth)
    }
  } catch {
    // Of a file that is none of ours nothing is asked but a password.
  }
  return found
}

/** The longest path wins: `host/team/vmpkg`, `host/team`, `host`. */
function findStored(stored: ReadonlyMap<string, string>, host: string, repository: string): string | undefined {
  const parts = repository === '' ? [] : repository.split('/')
  for (let length = parts.length; length >= 0; length--) {
    const known = stored.get([host, ...parts.slice(0, length)].join('/'))
    if (known !== undefined) return known
  }
  return undefined
}
