/** A domain: everything libvirt lets one do with it. Numbers and arguments are libvirt's remote protocol. */
import { passDescriptor } from './descriptors.ts'
import { agentMethods } from './domain-agent.ts'
import { blockMethods } from './domain-block.ts'
import { consoleMethods } from './domain-console.ts'
import { definitionMethods } from './domain-definition.ts'
import { deviceMethods } from './domain-device.ts'
import { iothreadMethods } from './domain-iothread.ts'
import { jobMethods } from './domain-job.ts'
import { lifeMethods } from './domain-life.ts'
import { memoryMethods } from './domain-memory.ts'
import { migrationMethods } from './domain-migration.ts'
import { processorMethods } from './domain-processor.ts'
import { saveMethods } from './domain-save.ts'
import { securityMethods } from './domain-security.ts'
import { snapshotMethods } from './domain-snapshot.ts'
import { statisticsMethods } from './domain-statistics.ts'
import { tuningMethods } from './domain-tuning.ts'
import { type Invoker, liveObject } from './methods.ts'
import { type DomainIdentity, domain } from './references.ts'

/** Named by its parts: spelled out, the declarations would lose the comments of the rows from other files. */
type DomainMethods = typeof lifeMethods &
  typeof definitionMethods &
  typeof saveMethods &
  typeof consoleMethods &
  typeof deviceMethods &
  typeof processorMethods &
  typeof iothreadMethods &
  typeof memoryMethods &
  typeof tuningMethods &
  typeof statisticsMethods &
  typeof jobMethods &
  typeof blockMethods &
  typeof snapshotMethods &
  typeof securityMethods &
  typeof agentMethods &
  typeof migrationMethods

export const domainMethods: DomainMethods = {
  ...lifeMethods,
  ...definitionMethods,
  ...saveMethods,
  ...consoleMethods,
  ...deviceMethods,
  ...processorMethods,
  ...iothreadMethods,
  ...memoryMethods,
  ...tuningMethods,
  ...statisticsMethods,
  ...jobMethods,
  ...blockMethods,
  ...snapshotMethods,
  ...securityMethods,
  ...agentMethods,
  ...migrationMethods,
}

/**
 * A reference to a domain; `name` and `id` are what they were when it was read.
 *
 * Every method throws a `LibvirtError` with `noDomain` when the domain is gone, `operationDenied` when it changes
 * something on a read-only connection, `accessDenied` when the daemon's policy forbids it, `noSupport` when the driver
 * or an older daemon lacks it, and `operationTimeout` when another call has had the domain busy for 30 seconds.
 */
export class Domain extends liveObject(domainMethods, domain) implements DomainIdentity {
  readonly name: string
  readonly uuid: string
  readonly id: number

  constructor(connect: Invoker, identity: DomainIdentity) {
    super(connect)
    this.name = identity.name
    this.uuid = identity.uuid
    this.id = identity.id
  }

  /**
   * Not to be had: Node cannot pass descriptors. Put the files into the domain's XML by their paths, and use `create`.
   * @throws {LibvirtError} `noSupport`, always
   */
  createWithFiles(): Promise<never> {
    return passDescriptor('DOMAIN_CREATE_WITH_FILES', 'name the files by path in the XML and use create()')
  }

  /**
   * Not to be had: Node cannot pass descriptors. Give the disk's source a path in place of an `fdgroup`.
   * @throws {LibvirtError} `noSupport`, always
   */
  fdAssociate(): Promise<never> {
    return passDescriptor('DOMAIN_FD_ASSOCIATE', 'give the source of the disk a path in place of an fdgroup')
  }

  /**
   * Not to be had: Node cannot pass descriptors. Connect to the address or socket that `<graphics>` in the XML names.
   * @throws {LibvirtError} `noSupport`, always
   */
  openGraphics(): Promise<never> {
    return passDescriptor('DOMAIN_OPEN_GRAPHICS', 'connect to the address or socket of <graphics> in getXMLDesc()')
  }

  /**
   * Not to be had: Node cannot pass descriptors. Connect to the address or socket that `<graphics>` in the XML names.
   * @throws {LibvirtError} `noSupport`, always
   */
  openGraphicsFD(): Promise<never> {
    return passDescriptor('DOMAIN_OPEN_GRAPHICS_FD', 'connect to the address or socket of <graphics> in getXMLDesc()')
  }

  /**
   * Not to be had: Node cannot pass descriptors. Name files by path in the command, and use `monitorCommand`.
   * @throws {LibvirtError} `noSupport`, always
   */
  monitorCommandWithFiles(): Promise<never> {
    return passDescriptor('DOMAIN_MONITOR_COMMAND_WITH_FILES', 'name files by path and use monitorCommand()')
  }
}
