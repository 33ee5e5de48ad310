/** What fences a domain in (SELinux, AppArmor, DAC), and memory its host cannot read (SEV). */
import { bool, fixedText, list, struct } from './codecs.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'
import { counted, none, withText } from './vocabulary.ts'

const securityLabel = {
  label: fixedText(),
  /** Whether the host's policy is in force, not only watched. */
  enforcing: bool,
}

export const securityMethods = {
  /**
   * The label the host's first security driver gave the running domain; empty text without one.
   * @throws {LibvirtError} `noSupport` where the driver has none
   */
  getSecurityLabel: call('DOMAIN_GET_SECURITY_LABEL', 121, '0.6.1', {}, securityLabel),
  /** The labels of all security drivers, in the order of `nodeGetSecurityModel` and of the XML's `seclabel`. */
  getSecurityLabelList: call(
    'DOMAIN_GET_SECURITY_LABEL_LIST',
    278,
    '0.10.0',
    {},
    { labels: list(struct(securityLabel)), ret: counted },
  ),
  /**
   * What a guest of encrypted memory measured at its launch; nothing for other guests.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  getLaunchSecurityInfo: call(
    'DOMAIN_GET_LAUNCH_SECURITY_INFO',
    396,
    '4.5.0',
    { flags: withText },
    {
      params: parameters({
        /** Base64. */
        'sev-measurement': 'string',
        'sev-api-major': 'u32',
        'sev-api-minor': 'u32',
        'sev-build-id': 'u32',
        'sev-policy': 'u32',
        /** In place of the one above (libvirt 10.5). */
        'sev-snp-policy': 'u64',
      }),
    },
  ),
  /**
   * Puts a secret into the memory of a paused SEV guest, after its measurement was found good.
   * @throws {LibvirtError} `operationUnsupported` for another guest or QEMU, `operationInvalid` when it is not paused
   */
  setLaunchSecurityState: call('DOMAIN_SET_LAUNCH_SECURITY_STATE', 439, '8.0.0', {
    params: parameters({
      /** Base64; both are needed. */
      'sev-secret-header': 'string',
      'sev-secret': 'string',
      /** Where in the guest's memory; the hypervisor finds out by itself. */
      'sev-secret-set-address': 'u64',
    }),
    flags: none,
  }),
}
