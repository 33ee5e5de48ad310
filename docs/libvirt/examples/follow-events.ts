import { Connect } from 'vmpkg/libvirt'

await using connect = await Connect.open()
await using feed = connect.events('domain.lifecycle', { signal: AbortSignal.timeout(3_600_000) })
await feed.ready // from here on nothing is missed
console.log('following')
for await (const { domain, event, detail } of feed) {
  console.log(domain.name, event, detail) // guest started booted, guest stopped shutdown, …
  if (event === 'undefined') break // leaving the loop deregisters
}
