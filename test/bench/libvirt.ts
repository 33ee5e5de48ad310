/**
 * Our libvirt client against virsh on the same daemon: connecting and listing, and reading the XML of many domains one
 * after another and at once. virsh runs as one process that reads commands, its best case, and as a process for each.
 */
import { Connect } from '../../src/libvirt/connect.ts'
import { startTestHost } from '../support/private-host.ts'
import { formatRows, interleave, type Report, runProgram } from './measure.ts'

const DOMAINS = 50
const READS = 200
const ROUNDS = 11
/** Processes for one call each: few, and scaled up. */
const CALLS = 10

export async function measureLibvirt(): Promise<Report> {
  const host = await startTestHost()
  const connect = await Connect.open(host.uri)
  try {
    for (let i = 0; i < DOMAINS; i++) await connect.domainDefineXML({ xml: domainXml(`bench-${i}`) })
    const domains = await connect.listAllDomains()
    if (domains.length !== DOMAINS) throw new Error(`${domains.length} domains of ${DOMAINS}`)
    const wanted = Array.from({ length: READS / DOMAINS }, () => domains).flat()
    const names = Array.from({ length: READS }, (_, i) => `bench-${i % DOMAINS}`)
    const virsh = (input: string): void => void runProgram('virsh', ['-q', '-c', host.uri], { input })
    const timings = await interleave(ROUNDS, {
      list: async () => {
        const own = await Connect.open(host.uri)
        await own.listAllDomains()
        await own.close()
      },
      virshList: () => void runProgram('virsh', ['-q', '-c', host.uri, 'list', '--all']),
      sequential: async () => {
        for (const domain of wanted) await domain.getXMLDesc()
      },
      concurrent: async () => {
        await Promise.all(wanted.map((domain) => domain.getXMLDesc()))
      },
      virshBatch: () => virsh(names.map((name) => `dumpxml ${name}\n`).join('')),
      virshEach: () => {
        const began = performance.now()
        for (const name of names.slice(0, CALLS)) runProgram('virsh', ['-q', '-c', host.uri, 'dumpxml', name])
        return ((performance.now() - began) / CALLS) * READS
      },
    })
    const batch = { name: 'virsh, one process', milliseconds: timings.virshBatch }
    const each = { name: `virsh, ${READS} processes`, milliseconds: timings.virshEach }
    const list = { name: '`virsh list --all`', milliseconds: timings.virshList }
    return {
      title: 'The libvirt client',
      about:
        `A private host with ${DOMAINS} defined domains, ${ROUNDS} rounds. Our client runs inside a program that runs ` +
        `already; virsh is always a process, and the ${READS} processes are scaled up from ${CALLS}.`,
      table: formatRows([
        { what: `connect, list ${DOMAINS} domains, close`, milliseconds: timings.list, peer: list },
        { what: `XML of a domain, ${READS} times in turn`, milliseconds: timings.sequential, peer: batch },
        { what: `XML of a domain, ${READS} at once`, milliseconds: timings.concurrent, peer: batch },
        { what: `XML of a domain, ${READS} times in turn`, milliseconds: timings.sequential, peer: each },
      ]),
    }
  } finally {
    await connect.close()
    await host.stop()
  }
}

function domainXml(name: string): string {
  return `<domain type="qemu">
  <name>${name}</name>
  <memory unit="MiB">128</memory>
  <vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <devices>
    <serial type="pty"/>
    <disk type="file" device="disk">
      <driver name="qemu" type="raw"/>
      <source file="/var/empty/${name}.raw"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <interface type="user"><model type="virtio"/></interface>
  </devices>
</domain>`
}
