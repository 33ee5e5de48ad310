/**
 * Everything a stage can tell the outside while it works. Stages emit; only a reporter in `cli/` prints.
 * The JSON form (`--json` progress on standard error) is documented in docs/events.md.
 */
export type VmpkgEvent =
  | { readonly type: 'stage-started' | 'stage-finished'; readonly stage: Stage; readonly subject: string }
  | { readonly type: 'fetch-planned'; readonly objects: number; readonly sizeBytes: number }
  | {
      readonly type: 'transfer-planned'
      readonly subject: string
      /** What will be moved, and every way that was thought of; the first brings all there is. */
      readonly chosen: TransferWay
      readonly ways: readonly TransferWay[]
      /** Bytes that other images of this host had. */
      readonly localBytes: number
      /** Bytes that were fetched to know the deltas. */
      readonly indexBytes: number
      /** What `fetch-planned` has counted for it. */
      readonly expectedBytes?: number
    }
  | { readonly type: 'fetch-started'; readonly subject: string; readonly sizeBytes: number | undefined }
  | { readonly type: 'fetch-progressed'; readonly subject: string; readonly receivedBytes: number }
  | { readonly type: 'fetch-finished'; readonly subject: string; readonly from: 'network' | 'cache' | 'local' }
  | {
      readonly type: 'upload-progressed'
      readonly subject: string
      readonly sentBytes: number
      readonly totalBytes: number
    }
  | { readonly type: 'link-changed'; readonly subject: string; readonly link: 'up' | 'down'; readonly reason: string }
  | {
      readonly type: 'image-progressed'
      readonly subject: string
      readonly doneBytes: number
      readonly totalBytes: number
    }
  | { readonly type: 'noted'; readonly message: string }
  | { readonly type: 'warned'; readonly code: string; readonly message: string; readonly hint?: string }

/** `delta` is the number of the delta among those that were thought of. */
export interface TransferWay {
  readonly kind: 'full' | 'chunks' | 'delta' | 'mixed'
  readonly delta?: number
  readonly bytes: number
  readonly requests: number
}

export type Stage =
  | 'update'
  | 'resolve'
  | 'fetch'
  | 'verify'
  | 'unpack'
  | 'render'
  | 'define'
  | 'start'
  | 'boot'
  | 'attest'
  | 'build'
  | 'publish'
  | 'recover'
  | 'host'
  | 'convert'
  | 'resize'
  | 'compact'
  | 'backup'
  | 'restore'
  | 'snapshot'

export type Emit = (event: VmpkgEvent) => void

/** The library's default: silence. */
export const emitNothing: Emit = () => {}
