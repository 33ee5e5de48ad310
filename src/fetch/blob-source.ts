/** What `image/` needs of the network: ranges of immutable, content-addressed files. `packs.ts` provides it. */

export interface BlobRange {
  /** Path below the source's base, as in `blob/<sha256>`. */
  readonly path: string
  /** Bytes of the whole file, as signed or as the transport index says. */
  readonly size: number
  /** First byte and byte after the last. */
  readonly start: number
  readonly end: number
  readonly signal?: AbortSignal | undefined
}

export interface BlobSource {
  /** A folder of this host, or a server: for events. */
  readonly origin: 'local' | 'network'
  /** How many places hold the files. */
  readonly places: number
  /**
   * Yields exactly the bytes of the range, resuming and retrying by itself. The bytes are unverified.
   *
   * @throws {VmpkgError} `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`, `SIZE_EXCEEDED`, `OFFLINE`, `ABORTED`
   */
  read(range: BlobRange): AsyncIterable<Uint8Array>
  /** These bytes were not the signed ones: whoever sent them is asked last from here on. */
  distrust(range: Pick<BlobRange, 'path' | 'start' | 'end'>): void
}
