/**
 * Everything a stage can tell the outside while it works. Stages emit; only a reporter in `cli/` prints.
 * The JSON form (`--json` progress on standard error) is documented in docs/events.md.
 */
export type VmpkgEvent =
  | { readonly type: 'stage-started' | 'stage-finished'; readonly stage: Stage; readonly subject: string }
  | { readonly type: 'fetch-planned'; readonly objects: number; readonly sizeBytes: number }
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
  | 'snapshot'

export type Emit = (event: VmpkgEvent) => void

/** The library's default: silence. */
export const emitNothing: Emit = () => {}
