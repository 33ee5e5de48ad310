/** What the threads of the frame pool are asked and answer. Buffers are transferred or shared, never copied. */

/** Bytes of a file that have to be those of a digest: they are checked as they are read. */
export interface CheckedPart {
  readonly offset: number
  readonly length: number
  /** 32 bytes. */
  readonly digest: Uint8Array
}

/** The zstd dictionary of a frame: chunks of an old image, one after the other. */
export interface Dictionary {
  /** File descriptor of the old image. */
  readonly fd: number
  readonly parts: readonly CheckedPart[]
}

/** Compress one frame of raw bytes. */
export interface EncodeJob {
  readonly kind: 'encode'
  readonly raw: Uint8Array
  readonly level: number
  readonly dictionary?: Dictionary
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
  readonly dictionary?: Dictionary
}

/** A chunk that another image on this host has. */
export interface CopiedChunk extends CheckedPart {
  /** Byte offsets in the image file. */
  readonly offsets: readonly number[]
}

/** Read chunks from another image, check them, and write them at their places. */
export interface CopyJob {
  readonly kind: 'copy'
  readonly from: number
  readonly fd: number
  readonly chunks: readonly CopiedChunk[]
}

/** Sample features of the content of parts of a file (`sketch.ts`). */
export interface SketchJob {
  readonly kind: 'sketch'
  readonly fd: number
  readonly parts: readonly { readonly offset: number; readonly length: number }[]
  /** One feature in 2^bits bytes. */
  readonly bits: number
}

export type FrameJob = EncodeJob | DecodeJob | CopyJob | SketchJob

export type FrameAnswer =
  | { readonly kind: 'encoded'; readonly frame: Uint8Array<ArrayBuffer>; readonly digest: Uint8Array }
  | { readonly kind: 'decoded' }
  /** `wrong` are the numbers in the job of those that were not there any more. */
  | { readonly kind: 'copied'; readonly wrong: readonly number[] }
  /** The features of each part, distinct and ascending. */
  | { readonly kind: 'sketched'; readonly features: readonly Uint32Array[] }
  /** The frame's bytes are not what the signed digests say; `isOld` where it is the old image that is not. */
  | { readonly kind: 'damaged'; readonly fact: string; readonly isOld?: boolean }
  /** Writing failed. */
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string }
