/** How a connection lists, finds and makes secrets, and devices of the host. */
import { flags, list, string, uuid, xml } from './codecs.ts'
import { call } from './methods.ts'
import { nodeDevice, secret, secretUsage } from './references.ts'
import { counted, need, none, validated } from './vocabulary.ts'

const deviceValidated = flags({
  /** Refuse XML that libvirt's schema does not allow, with `xmlInvalidSchema`. libvirt 8.10 and later. */
  validate: 1,
})

export const secretLookups = {
  /** All secrets, without their values, or those that the flags choose. */
  listAllSecrets: call(
    'CONNECT_LIST_ALL_SECRETS',
    287,
    '0.10.2',
    {
      need,
      flags: flags({
        /** Kept in memory only. */
        ephemeral: 1,
        noEphemeral: 2,
        /** Whose value the daemon tells nobody. */
        private: 4,
        noPrivate: 8,
      }),
    },
    { secrets: list(secret), ret: counted },
  ),
  /**
   * Makes a secret, without a value, or changes the one with the same UUID, which keeps its value.
   * @throws {LibvirtError} `operationFailed` or `internalError` when usage or UUID belong to another, `xmlError`,
   * `xmlInvalidSchema` with `validate`
   */
  secretDefineXML: call('SECRET_DEFINE_XML', 142, '0.7.1', { xml, flags: validated }, { secret }),
  /**
   * The secret with this UUID.
   * @throws {LibvirtError} `noSecret` when there is none
   */
  secretLookupByUuid: call('SECRET_LOOKUP_BY_UUID', 141, '0.7.1', { uuid }, { secret }),
  /**
   * The secret for one use: `usageId` is the volume's path, the name of a Ceph, iSCSI, TLS or TPM secret.
   * @throws {LibvirtError} `noSecret` when there is none
   */
  secretLookupByUsage: call(
    'SECRET_LOOKUP_BY_USAGE',
    147,
    '0.7.1',
    { usageType: secretUsage, usageId: string },
    { secret },
  ),
}

export const deviceLookups = {
  /**
   * Devices of the host, all or those that the flags choose: by what they are capable of, and (from
   * libvirt 10.1 on) by whether they last. Of each group that is named one must fit.
   */
  listAllNodeDevices: call(
    'CONNECT_LIST_ALL_NODE_DEVICES',
    285,
    '0.10.2',
    {
      need,
      flags: flags({
        /** The machine itself. */
        system: 1,
        pciDev: 2,
        usbDev: 4,
        usbInterface: 8,
        net: 16,
        scsiHost: 32,
        scsiTarget: 64,
        scsi: 128,
        storage: 256,
        /** Fibre Channel adapters. */
        fcHost: 512,
        /** Adapters that can have virtual ports. */
        vports: 1024,
        scsiGeneric: 2048,
        drm: 4096,
        /** Devices that can be divided into mediated ones. */
        mdevTypes: 8192,
        /** Mediated devices. */
        mdev: 16_384,
        ccwDev: 32_768,
        cssDev: 65_536,
        vdpa: 131_072,
        apCard: 262_144,
        apQueue: 524_288,
        apMatrix: 1_048_576,
        /** PCI devices that tell their Vital Product Data. */
        vpd: 2_097_152,
        /** libvirt 11.1 and later. */
        ccwgroupDev: 4_194_304,
        /** libvirt 11.1 and later. */
        ccwgroupMember: 8_388_608,
        /** libvirt 10.1 and later. */
        persistent: 0x1000_0000,
        /** libvirt 10.1 and later. */
        transient: 0x2000_0000,
        /** Only defined. */
        inactive: 0x4000_0000,
        active: 0x8000_0000,
      }),
    },
    { devices: list(nodeDevice), ret: counted },
  ),
  /**
   * The host's device with this name, as `computer` or `pci_0000_00_1f_2`.
   * @throws {LibvirtError} `noNodeDevice` when there is none
   */
  nodeDeviceLookupByName: call('NODE_DEVICE_LOOKUP_BY_NAME', 113, '0.5.0', { name: string }, { device: nodeDevice }),
  /**
   * The Fibre Channel adapter with these World Wide Names, 16 hexadecimal digits each.
   * @throws {LibvirtError} `noNodeDevice` when there is none; 9.0 says `internalError` instead
   */
  nodeDeviceLookupSCSIHostByWWN: call(
    'NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN',
    297,
    '1.0.3',
    { wwnn: string, wwpn: string, flags: none },
    { device: nodeDevice },
  ),
  /**
   * Makes a device that lasts until the host stops: a virtual Fibre Channel port or a mediated device.
   * @throws {LibvirtError} `configUnsupported` for any other device, `xmlError`, `noNodeDevice` when it did not come
   */
  nodeDeviceCreateXML: call(
    'NODE_DEVICE_CREATE_XML',
    123,
    '0.6.3',
    { xml, flags: deviceValidated },
    { device: nodeDevice },
  ),
  /**
   * Defines a mediated device, which `create` starts, or replaces its definition.
   * @throws {LibvirtError} `configUnsupported` for any other device, `xmlError`, `internalError` with the words of
   * mdevctl
   */
  nodeDeviceDefineXML: call(
    'NODE_DEVICE_DEFINE_XML',
    428,
    '7.3.0',
    { xml, flags: deviceValidated },
    { device: nodeDevice },
  ),
}
