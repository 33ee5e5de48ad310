/** Files that `Domain.save` wrote, by their path on the daemon's host: calls of the connection, with no domain. */
import { string, xml } from './codecs.ts'
import { call } from './methods.ts'
import { domainFlags, secureXml } from './vocabulary.ts'

export const saveImageMethods = {
  /**
   * The domain's XML in a saved image.
   * @throws {LibvirtError} `operationFailed` when it is no such file, `operationDenied` for `secure` on a read-only
   * connection, `systemError`
   */
  domainSaveImageGetXMLDesc: call(
    'DOMAIN_SAVE_IMAGE_GET_XML_DESC',
    235,
    '0.9.4',
    { file: string, flags: secureXml },
    { xml: string },
  ),
  /**
   * Replaces the XML in a saved image, where what the guest sees must stay the same; only `running` and `paused` of the
   * flags count, and neither leaves it as it is.
   * @throws {LibvirtError} `operationFailed` when it is no such file, `configUnsupported` when the guest would see a
   * difference
   */
  domainSaveImageDefineXML: call('DOMAIN_SAVE_IMAGE_DEFINE_XML', 236, '0.9.4', {
    file: string,
    xml,
    flags: domainFlags.save,
  }),
}
