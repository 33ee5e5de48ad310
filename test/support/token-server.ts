/**
 * A token server of a registry: whoever shows the password gets all they ask for, everybody else may read. Source: the
 * token specification of the Distribution project (docs/spec/auth/token, jwt), RFC 7515 (x5c).
 */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TokenServer extends AsyncDisposable {
  readonly realm: string
  /** What each request showed. */
  readonly told: (string | undefined)[]
}

/** @param password `Basic …` @param certificate PEM files of it and its key, an elliptic one */
export async function startTokenServer(
  password: string,
  { certificate, key }: { readonly certificate: string; readonly key: string },
): Promise<TokenServer> {
  const told: (string | undefined)[] = []
  const chain = [new X509Certificate(readFileSync(certificate)).raw.toString('base64')]
  const server = createServer((request, response) => {
    const { authorization } = request.headers
    told.push(authorization)
    const scopes = new URL(request.url ?? '/', 'http://x').searchParams.getAll('scope')
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':')
      const asked = actions.split(',')
      return { type, name, actions: authorization === password ? asked : asked.filter((one) => one === 'pull') }
    })
    const now = Math.floor(Date.now() / 1000)
    const times = { exp: now + 300, nbf: now - 60, iat: now }
    const claims = { iss: 'test', sub: 'test', aud: 'test', jti: `${now}`, access, ...times }
    const words = [{ typ: 'JWT', alg: 'ES256', x5c: chain }, claims]
      .map((one) => Buffer.from(JSON.stringify(one)).toString('base64url'))
      .join('.')
    const own = createPrivateKey(readFileSync(key))
    const signature = sign('sha256', Buffer.from(words), { key: own, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    response.end(JSON.stringify({ token: `${words}.${signature}` }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    told,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
