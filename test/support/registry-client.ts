/** Reads a registry folder as a client does: through `TrustSession`, from the pin or from marks. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openFile } from '../../src/fetch/open-file.ts'
import { isOciUrl } from '../../src/model/oci.ts'
import type { Channels, Envelope } from '../../src/model/registry.ts'
import { systemHttp } from '../../src/node/http.ts'
import type { Freshness, FreshnessPolicy } from '../../src/trust/freshness.ts'
import type { TrustMarks } from '../../src/trust/marks.ts'
import type { PackageIndex } from '../../src/trust/package-index.ts'
import type { RootPin } from '../../src/trust/root-chain.ts'
import { startingRoot, TrustSession } from '../../src/trust/session.ts'
import type { Verified } from '../../src/trust/verified.ts'

export interface RefreshRequest {
  readonly folder: string
  /** Where the registry is served, instead of the folder. */
  readonly base?: URL
  readonly pin: RootPin
  readonly now: Date
  readonly marks?: TrustMarks
  /** The root file that the marks name, as a client keeps it; else it is read. */
  readonly rootFile?: Uint8Array | undefined
  readonly policy?: FreshnessPolicy
}

export interface Refreshed {
  readonly envelope: Verified<Envelope>
  readonly freshness: Freshness
  readonly index: Verified<PackageIndex>
  readonly channels: Verified<Channels>
  readonly marks: TrustMarks
  /** The newest, where it was not the one to begin with. */
  readonly rootFile?: Uint8Array | undefined
}

/** One try, so that nothing that a reader sees wrong is smoothed over. */
async function fetchFrom(base: URL, path: string): Promise<Uint8Array> {
  if (isOciUrl(base)) {
    const { body } = await openFile({ http: systemHttp({}), base }, { path })
    return Buffer.concat(await body.toArray())
  }
  const response = await fetch(new URL(path, base))
  const bytes = new Uint8Array(await response.arrayBuffer())
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return bytes
}

export async function refresh({
  folder,
  base,
  pin,
  now,
  marks,
  rootFile,
  policy = { kind: 'strict' },
}: RefreshRequest): Promise<Refreshed> {
  const options = { pin, now, policy, ...(marks === undefined ? {} : { marks }) }
  const read = async (path: string): Promise<Uint8Array> =>
    base === undefined ? readFile(join(folder, path)) : fetchFrom(base, path)
  let kept = rootFile
  const session = await TrustSession.open(options, kept ?? (await read(`root/${startingRoot(options).version}.json`)))
  for (;;) {
    const next = await read(`root/${session.nextRootVersion}.json`).catch(() => undefined)
    if (next === undefined) break
    await session.acceptRoot(next)
    kept = next
  }
  const file = await read('envelope.json')
  if (policy.kind !== 'snapshot') await session.acceptCarriedRoots(file, (root) => (kept = root))
  const { envelope, freshness } = await session.acceptEnvelope(file)
  const index = await session.acceptIndex(await read(`index/${envelope.index.sha256}.jsonl.zst`))
  const channels = await session.acceptChannels(await read(`channels/${envelope.channels.sha256}.json`))
  return { envelope, freshness, index, channels, marks: session.marks, rootFile: kept }
}
