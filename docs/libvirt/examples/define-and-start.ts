import { Connect, LibvirtError } from 'vmpkg/libvirt'

const xml = `<domain type='qemu'>
  <name>first</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><console type='pty'/></devices>
</domain>`

await using connect = await Connect.open()
try {
  const domain = await connect.domainDefineXML({ xml, flags: ['validate'] })
  await domain.create()
  console.log(domain.name, domain.uuid, (await domain.getState()).state)
} catch (error) {
  if (!(error instanceof LibvirtError) || !error.is('operationInvalid')) throw error
  console.error(`It runs already: ${error.message}`)
}
