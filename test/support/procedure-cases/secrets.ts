/** Secrets. */
import assert from 'node:assert/strict'
import type { Exercise } from './exercise.ts'

const XML = "<secret ephemeral='no' private='no'><usage type='volume'><volume>/a/disk</volume></usage></secret>"

export async function keepsSecrets(x: Exercise): Promise<void> {
  const secret = await x.does(x.connect.secretDefineXML({ xml: XML }), (made) =>
    assert.deepEqual([made.usageType, made.usageId], ['volume', '/a/disk']),
  )
  const isThis = (found: { readonly uuid: string }) => assert.equal(found.uuid, secret.uuid)
  await x.tries(x.connect.listAllSecrets(), ([first]) => assert.equal(first?.uuid, secret.uuid))
  await x.tries(x.connect.secretLookupByUuid({ uuid: secret.uuid }), isThis)
  await x.tries(x.connect.secretLookupByUsage({ usageType: 'volume', usageId: '/a/disk' }), isThis)
  await x.tries(secret.getXMLDesc(), (xml) => assert.match(xml, /^<secret/))
  await x.tries(secret.setValue({ value: Buffer.from('open sesame') }))
  await x.tries(secret.getValue(), (value) => assert.equal(Buffer.from(value).toString(), 'open sesame'))
  await x.tries(secret.undefine())
}
