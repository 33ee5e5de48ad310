/** Domains: block jobs, thresholds, backups, snapshots and checkpoints. */
import assert from 'node:assert/strict'
import { guestXml } from '../guest-xml.ts'
import type { Exercise } from './exercise.ts'

export async function movesItsDiskByJobs(x: Exercise): Promise<void> {
  const disk = await x.bootDisk('jobs.raw')
  const domain = await x.connect.domainCreateXML({ xml: guestXml({ name: 'jobs', disk }), flags: ['paused'] })
  const told = (type: string, status: string) =>
    x.events.until('domain.blockJob', (e) => e.type === type && e.status === status)
  const overlay = async (name: string) => {
    const source = `<source file='${x.at(name)}'/>`
    const xml = `<domainsnapshot><disks><disk name='vda'>${source}</disk></disks></domainsnapshot>`
    await domain.snapshotCreateXML({ xml, flags: ['diskOnly', 'noMetadata', 'atomic'] })
  }
  await overlay('one.qcow2')
  await x.tries(domain.blockCommit({ disk: 'vda', flags: ['active'] }))
  await told('activeCommit', 'ready')
  await x.tries(domain.blockJobSetSpeed({ path: 'vda', bandwidth: 10n }))
  await x.tries(domain.getBlockJobInfo({ path: 'vda' }), ({ type }) => assert.equal(type, 'activeCommit'))
  await x.tries(domain.blockJobAbort({ path: 'vda', flags: ['pivot'] }))
  await told('activeCommit', 'completed')
  await overlay('two.qcow2')
  await x.tries(domain.blockPull({ path: 'vda' }))
  await told('pull', 'completed')
  await overlay('three.qcow2')
  await x.tries(domain.blockRebase({ path: 'vda' }))
  while ((await domain.getBlockJobInfo({ path: 'vda' })).found) await new Promise((done) => setTimeout(done, 20))
  const xml = `<disk type='file'><source file='${x.at('copy.qcow2')}'/><driver type='qcow2'/></disk>`
  await x.tries(domain.blockCopy({ path: 'vda', xml, params: [], flags: ['transientJob'] }))
  await told('copy', 'ready')
  await domain.blockJobAbort({ path: 'vda' })
  await told('copy', 'cancelled')
  await x.tries(domain.setBlockThreshold({ dev: 'vda', threshold: 1000n }))
  await x.tries(domain.blockResize({ disk: 'vda', size: 2_097_152n, flags: ['bytes'] }))
  const scratch = `<scratch file='${x.at('scratch.qcow2')}'/>`
  const server = `<server transport='unix' socket='${x.at('nbd')}'/>`
  const backupXml = `<domainbackup mode='pull'>${server}<disks><disk name='vda' type='file'>${scratch}</disk></disks></domainbackup>`
  await x.tries(domain.backupBegin({ backupXml }))
  await x.tries(domain.backupGetXMLDesc(), (text) => assert.match(text, /mode='pull'/))
  await x.tries(domain.abortJob())
  await domain.backupBegin({ backupXml })
  await x.tries(domain.abortJobFlags())
  await domain.destroy()
}

export async function isSnapshotted(x: Exercise): Promise<void> {
  const disk = await x.makeQcow2('snapshots.qcow2')
  await x.withDomain({ name: 'snapshots', disk, format: 'qcow2' }, async (domain) => {
    const make = (name: string) =>
      domain.snapshotCreateXML({ xml: `<domainsnapshot><name>${name}</name></domainsnapshot>` })
    const first = await x.does(make('first'), ({ name }) => assert.equal(name, 'first'))
    const second = await make('second')
    await x.tries(domain.listAllSnapshots(), (all) => assert.equal(all.length, 2))
    await x.tries(domain.snapshotLookupByName({ name: 'second' }), ({ name }) => assert.equal(name, 'second'))
    await x.tries(domain.hasCurrentSnapshot(), (has) => assert.equal(has, true))
    await x.tries(domain.snapshotCurrent(), ({ name }) => assert.equal(name, 'second'))
    await x.tries(second.getXMLDesc(), (text) => assert.match(text, /<name>second<\/name>/))
    await x.tries(second.getParent(), ({ name }) => assert.equal(name, 'first'))
    await x.tries(first.listAllChildren(), (children) =>
      assert.deepEqual(
        children.map(({ name }) => name),
        ['second'],
      ),
    )
    await x.tries(second.isCurrent(), (is) => assert.equal(is, true))
    await x.tries(second.hasMetadata(), (has) => assert.equal(has, true))
    await x.tries(first.revert())
    await x.tries(second.delete())
    await first.delete()
    assert.deepEqual(await domain.listAllSnapshots(), [])
  })
}

export async function isCheckpointed(x: Exercise): Promise<void> {
  const disk = await x.makeQcow2('checkpoints.qcow2')
  await x.withDomain({ name: 'checkpoints', disk, format: 'qcow2' }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    const xml = '<domaincheckpoint><name>point</name></domaincheckpoint>'
    const point = await x.does(domain.checkpointCreateXML({ xml }), ({ name }) => assert.equal(name, 'point'))
    await x.tries(domain.listAllCheckpoints(), (all) =>
      assert.deepEqual(
        all.map(({ name }) => name),
        ['point'],
      ),
    )
    await x.tries(domain.checkpointLookupByName({ name: 'point' }), ({ name }) => assert.equal(name, 'point'))
    await x.tries(point.getXMLDesc(), (text) => assert.match(text, /<name>point<\/name>/))
    const second = await domain.checkpointCreateXML({ xml: xml.replace('>point<', '>second<') })
    await x.tries(second.getParent(), ({ name }) => assert.equal(name, 'point'))
    await x.tries(point.listAllChildren(), (all) =>
      assert.deepEqual(
        all.map(({ name }) => name),
        ['second'],
      ),
    )
    await second.delete()
    await x.tries(point.delete())
  })
}
