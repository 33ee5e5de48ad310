/** What the threads of the frame pool are asked and answer. Buffers are transferred or shared, never copied. */

/** Compress one frame of raw bytes. */
export interface EncodeJob {
  readonly kind: 'encode'
  readonly raw: Uint8Array
  readonly level: number
}

/** Where one verified chunk of a frame goes. */
export interface DecodedChunk {
  /** Bytes into the raw frame. */
  readonly start: number
  readonly length: number
  /** 32 bytes. */
  readonly digest: Uint8Array
  /** Byte offsets in the image file. */
  readonly offsets: readonly number[]
}

/** Check one frame, decompress it, check its chunks and write them at their places. */
export interface DecodeJob {
  readonly kind: 'decode'
  readonly frame: Uint8Array
  /** 32 bytes. */
  readonly digest: Uint8Array
  readonly rawSize: number
  readonly chunks: readonly DecodedChunk[]
  /** File descriptor of the image under assembly, open for writing. */
  readonly fd: number
}

export type FrameJob = EncodeJob | DecodeJob

export type FrameAnswer =
  | { readonly kind: 'encoded'; readonly frame: Uint8Array<ArrayBuffer>; readonly digest: Uint8Array }
  | { readonly kind: 'decoded' }
  /** The frame's bytes are not what the signed digests say. */
  | { readonly kind: 'damaged'; readonly fact: string }
  /** Writing failed. */
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string }
