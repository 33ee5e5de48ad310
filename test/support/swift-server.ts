/**
 * Debian's OpenStack Swift with its S3 middleware, one replica on one folder, all of it on the loopback interface: a real
 * S3-compatible server, without conditional PUT.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Daemon, startDaemon } from './daemon.ts'
import { freePort } from './free-port.ts'

const execute = promisify(execFile)

export const withoutSwift: string | false = existsSync('/usr/bin/swift-proxy-server')
  ? false
  : 'swift-proxy, swift-account, swift-container and swift-object are not installed'

export interface BucketServer extends AsyncDisposable {
  readonly endpoint: string
  /** As the AWS variables. */
  readonly env: Readonly<Record<string, string>>
  /** Makes a bucket that everybody may read and returns its address for a browser. */
  makeBucket(name: string): Promise<URL>
}

/** As `swift-ring-builder create`, `add` and `rebalance` for each kind, in one process. */
const MAKE_RINGS = `
import sys
from swift.common.ring import RingBuilder
for word in sys.argv[2:]:
    kind, port = word.split('=')
    builder = RingBuilder(4, 1, 1)
    builder.add_dev(dict(region=1, zone=1, ip='127.0.0.1', port=int(port), device='d1', weight=1.0,
                         replication_ip='127.0.0.1', replication_port=int(port), meta=''))
    builder.rebalance()
    builder.get_ring().save(sys.argv[1] + '/' + kind + '.ring.gz')
`

/** @param work an empty folder on a file system with extended attributes */
export async function startSwift(work: string): Promise<BucketServer> {
  const kinds = ['account', 'container', 'object'] as const
  const ports = Object.fromEntries(
    await Promise.all([...kinds, 'proxy' as const].map(async (kind) => [kind, await freePort()] as const)),
  )
  await mkdir(join(work, 'devices', 'd1'), { recursive: true })
  await writeFile(join(work, 'swift.conf'), '[swift-hash]\nswift_hash_path_suffix = tests\n')
  const rings = kinds.map((kind) => `${kind}=${ports[kind]}`)
  await execute('/usr/bin/python3', ['-c', MAKE_RINGS, work, ...rings])
  for (const kind of kinds) {
    await writeFile(
      join(work, `${kind}.conf`),
      `${common(work, ports[kind])}
mount_check = false
devices = ${join(work, 'devices')}
[pipeline:main]
pipeline = ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
replication_server = false
`,
    )
  }
  await writeFile(join(work, 'proxy.conf'), proxySettings(work, ports['proxy']))
  const daemons: Daemon[] = []
  const stop = async (): Promise<void> => {
    for (const daemon of daemons) await daemon[Symbol.asyncDispose]()
  }
  try {
    const started = await Promise.allSettled(
      [...kinds, 'proxy' as const].map(async (kind) => {
        const words = [`/usr/bin/swift-${kind}-server`, join(work, `${kind}.conf`)]
        daemons.push(await startDaemon(words, ports[kind] ?? 0, () => readFileSync(join(work, `${kind}.conf`), 'utf8')))
      }),
    )
    for (const one of started) if (one.status === 'rejected') throw one.reason
  } catch (error) {
    await stop()
    throw error
  }
  const endpoint = `http://127.0.0.1:${ports['proxy']}`
  const env = { AWS_ACCESS_KEY_ID: 'test:tester', AWS_SECRET_ACCESS_KEY: 'testing', AWS_REGION: 'us-east-1' }
  return {
    endpoint,
    env,
    async makeBucket(name) {
      const { AwsClient } = await import('aws4fetch')
      const client = new AwsClient({ accessKeyId: 'test:tester', secretAccessKey: 'testing', service: 's3' })
      const url = `${endpoint}/${name}`
      const made = await client.fetch(url, { method: 'PUT', headers: { 'x-amz-acl': 'public-read' } })
      if (!made.ok) throw new Error(`${url}: ${made.status} ${await made.text()}`)
      return new URL(`${endpoint}/v1/AUTH_test/${name}/`)
    },
    [Symbol.asyncDispose]: stop,
  }
}

function common(work: string, port: number | undefined): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${userInfo().username}
swift_dir = ${work}
log_level = ERROR`
}

function proxySettings(work: string, port: number | undefined): string {
  return `${common(work, port)}
[pipeline:main]
pipeline = catch_errors gatekeeper cache s3api tempauth proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
# tempauth insists on a cache; one that nobody answers for is an empty one.
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
allow_multipart_uploads = false
auth_pipeline_check = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
`
}
