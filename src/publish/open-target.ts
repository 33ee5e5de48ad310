/** Opens the place that an address names. */

import type { PublishTarget } from './target.ts'
import { folderTarget } from './target-folder.ts'
import type { TargetLocation } from './target-location.ts'
import { type OciTargetOptions, ociTarget } from './target-oci.ts'
import { rsyncDaemonTarget, rsyncSshTarget } from './target-rsync.ts'
import { type S3Options, s3Target } from './target-s3.ts'
import { type RemoteOptions, sftpTarget } from './target-sftp.ts'

export type OpenTargetOptions = RemoteOptions & S3Options & OciTargetOptions

/** Close it in any case. @throws {VmpkgError} `NO_RIGHTS` `USAGE` `SOURCE_INVALID` */
export async function openTarget(location: TargetLocation, options: OpenTargetOptions): Promise<PublishTarget> {
  switch (location.kind) {
    case 'folder':
      return folderTarget(location.folder)
    case 'sftp':
      return sftpTarget(location.name, location.place, options)
    case 'rsync+ssh':
      return rsyncSshTarget(location.name, location.place, options)
    case 'rsync':
      return rsyncDaemonTarget(location.name, location.url, options)
    case 's3':
      return s3Target(location.name, location.place, options)
    case 'oci':
      return ociTarget(location.name, location.place, options)
  }
}
