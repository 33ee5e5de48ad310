/** A domain's definition: its XML, its metadata, whether it starts by itself, and what libvirt has to say of it. */
import { bool, flags, list, maybe, string, xml } from './codecs.ts'
import { call } from './methods.ts'
import { impact, metadataType } from './vocabulary.ts'

export const definitionMethods = {
  /**
   * Its XML: of a running domain as it runs (devices have aliases and addresses, what was detached is gone), else the
   * definition.
   * @throws {LibvirtError} `operationDenied` for `secure` or `migratable` on a read-only connection
   */
  getXMLDesc: call(
    'DOMAIN_GET_XML_DESC',
    14,
    '0.0.3',
    {
      flags: flags({
        /** With passwords; refused on a read-only connection. */
        secure: 1,
        /** The definition, even while it runs. */
        inactive: 2,
        /** The processor as the host's makes it. */
        updateCpu: 4,
        /** As an older libvirt can read it, for a migration. */
        migratable: 8,
      }),
    },
    { xml: string },
  ),
  /** Whether it starts when the daemon (in fact the host) does. */
  getAutostart: call('DOMAIN_GET_AUTOSTART', 15, '0.2.1', {}, { autostart: bool }),
  /**
   * Makes it start with the host, or no longer.
   * @throws {LibvirtError} `operationInvalid` for a domain without a definition
   */
  setAutostart: call('DOMAIN_SET_AUTOSTART', 29, '0.2.1', { autostart: bool }),
  /** Whether it starts with the host the next time, and only that time. */
  getAutostartOnce: call('DOMAIN_GET_AUTOSTART_ONCE', 449, '11.2.0', {}, { autostart: bool }),
  /**
   * Makes it start with the host the next time only, or not.
   * @throws {LibvirtError} `operationInvalid` for a domain without a definition
   */
  setAutostartOnce: call('DOMAIN_SET_AUTOSTART_ONCE', 450, '11.2.0', { autostart: bool }),
  /**
   * Writes the description, the title (one line) or one element of the metadata. For `element` the key is the XML
   * prefix and `uri` the namespace, of which a domain has one element; without `metadata` the entry is removed.
   * @throws {LibvirtError} `operationInvalid` for `live` on a stopped domain or `config` on a transient one,
   * `invalidArg`
   */
  setMetadata: call('DOMAIN_SET_METADATA', 264, '0.9.10', {
    type: metadataType,
    metadata: maybe(xml),
    key: maybe(string),
    uri: maybe(string),
    flags: impact,
  }),
  /**
   * The description, the title, or the element of the namespace `uri` as XML.
   * @throws {LibvirtError} `noDomainMetadata` when there is none
   */
  getMetadata: call(
    'DOMAIN_GET_METADATA',
    265,
    '0.9.10',
    { type: metadataType, uri: maybe(string), flags: impact },
    { metadata: string },
  ),
  /** What is unwell with it, in English sentences: all kinds unless flags choose. */
  getMessages: call(
    'DOMAIN_GET_MESSAGES',
    426,
    '7.1.0',
    {
      flags: flags({
        /** It uses what the hypervisor means to drop. */
        deprecation: 1,
        /** It was touched in ways nobody supports. */
        tainting: 2,
        /** Errors of its disks (libvirt 11.1). */
        ioErrors: 4,
      }),
    },
    { messages: list(string) },
  ),
}
