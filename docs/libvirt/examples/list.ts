import { Connect } from 'vmpkg/libvirt'

await using connect = await Connect.open(undefined, { readonly: true })
const domains = await connect.listAllDomains()
const states = await Promise.all(domains.map((domain) => domain.getState()))
for (const [index, domain] of domains.entries()) console.log(domain.name, states[index]?.state)
