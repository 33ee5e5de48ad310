/** A domain's memory on disk: saved to sleep, or dumped to be looked at. Paths are on the daemon's host. */
import { bool, choice, flags, maybe, preset, string, xml } from './codecs.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'
import { domainFlags, none, secureXml } from './vocabulary.ts'

/** What a save and a restore with parameters are told. */
export const saveParameters = parameters({
  /** The image, on the daemon's host; a save without it is a managed one. */
  file: 'string',
  /** The domain's XML to use in place of the saved: only what concerns the host may differ. */
  dxml: 'string',
  /** `raw`, `zstd`, `lzop`, `gzip`, `bzip2`, `xz`, `sparse`; only when saving (libvirt 11.2). */
  image_format: 'string',
  /** How many channels read or write at once; needs the format `sparse` (libvirt 11.2). */
  'parallel.channels': 'i32',
})

export const saveMethods = {
  /**
   * Saves its memory and stops it; the next `create` goes on from there. The image is the daemon's own.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `operationAborted` after `abortJob`, `systemError`
   */
  managedSave: call('DOMAIN_MANAGED_SAVE', 182, '0.8.0', { flags: domainFlags.save }, undefined, { isLong: true }),
  /** Whether there is a managed save that the next start would use. */
  hasManagedSaveImage: call('DOMAIN_HAS_MANAGED_SAVE_IMAGE', 183, '0.8.0', { flags: none }, { result: bool }),
  /** Drops the managed save: the next start boots afresh. Without one it does nothing. */
  managedSaveRemove: call('DOMAIN_MANAGED_SAVE_REMOVE', 184, '0.8.0', { flags: none }),
  /**
   * The XML in its managed save.
   * @throws {LibvirtError} `operationInvalid` when there is none, `operationDenied` for `secure` on a read-only
   * connection
   */
  managedSaveGetXMLDesc: call('DOMAIN_MANAGED_SAVE_GET_XML_DESC', 388, '3.7.0', { flags: secureXml }, { xml: string }),
  /**
   * Replaces the XML in its managed save, where what the guest sees must stay the same; only `running` and `paused` of
   * the flags count, and neither leaves it as it is.
   * @throws {LibvirtError} `operationInvalid` when there is no managed save, `configUnsupported` when the guest would
   * see a difference
   */
  managedSaveDefineXML: call('DOMAIN_MANAGED_SAVE_DEFINE_XML', 389, '3.7.0', {
    xml: maybe(xml),
    flags: domainFlags.save,
  }),
  /**
   * Saves its memory to the file `to` and stops it; `Connect.domainRestore` brings it back. `xml` replaces the saved
   * XML where it concerns the host, as the paths of disks. The disks are not saved.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `operationAborted` after `abortJob`,
   * `operationFailed`, `systemError`
   */
  save: call('DOMAIN_SAVE_FLAGS', 232, '0.9.4', { to: string, xml: maybe(xml), flags: domainFlags.save }, undefined, {
    isLong: true,
  }),
  /**
   * Saves as `save` or, without `file`, as `managedSave`.
   * @throws {LibvirtError} as `save`, and `invalidArg` for parameters this release lacks
   */
  saveParams: call('DOMAIN_SAVE_PARAMS', 440, '8.4.0', { params: saveParameters, flags: domainFlags.save }, undefined, {
    isLong: true,
  }),
  /**
   * Dumps its memory to the file `to`; the guest waits meanwhile. The formats but `raw` need `memoryOnly`.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `operationUnsupported` for a format QEMU lacks,
   * `operationAborted`, `systemError`
   */
  coreDump: call(
    'DOMAIN_CORE_DUMP_WITH_FORMAT',
    334,
    '1.2.3',
    {
      to: string,
      /** `kdump…` are compressed dumps for crash, `windows` is a full dump for Windows' debuggers. */
      format: preset(choice('raw', 'kdumpZlib', 'kdumpLzo', 'kdumpSnappy', 'windows'), 'raw'),
      /** `crash`, `live` and `reset` exclude one another. */
      flags: flags({
        /** Ends the domain after the dump, as crashed. */
        crash: 1,
        /** Lets it run while it is dumped. */
        live: 2,
        /** Writes around the host's page cache. */
        bypassCache: 4,
        /** Resets it after the dump. */
        reset: 8,
        /** Only memory and registers, as an ELF file; else an image as `save` writes it. */
        memoryOnly: 16,
      }),
    },
    undefined,
    { isLong: true },
  ),
}
