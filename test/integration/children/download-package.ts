/** Downloads packages of a root that has been updated. Arguments: folder of the root, names. Prints the outcome in JSON. */

import { isVmpkgError } from '../../../src/errors.ts'
import type { VmpkgEvent } from '../../../src/events.ts'
import { systemHttp } from '../../../src/node/http.ts'
import { downloadPackages } from '../../../src/operations/download.ts'
import { chooseDownloads } from '../../../src/operations/download-candidates.ts'
import { openWorkspace } from '../../../src/operations/workspace.ts'
import { workspaceOptions } from '../../support/download-site.ts'

const [folder = '', ...requests] = process.argv.slice(2)
const events: VmpkgEvent[] = []
// A line as soon as it waits, for whoever watches.
const push = events.push.bind(events)
events.push = (event) => {
  if (event.type === 'noted' && event.message.includes('waiting for')) console.log('waiting')
  return push(event)
}
const { signal } = new AbortController()
const workspace = await openWorkspace(workspaceOptions(folder, { write: false, http: systemHttp({}), signal, events }))
try {
  using downloads = await downloadPackages(workspace, chooseDownloads(workspace, { requests, withDepends: false }))
  const isFetched = events.some((event) => event.type === 'fetch-progressed' && event.subject.endsWith(' disk'))
  console.log(JSON.stringify({ packages: downloads.packages.length, isFetched }))
} catch (error) {
  const code = isVmpkgError(error) ? error.code : String(error)
  console.log(JSON.stringify({ code, message: error instanceof Error ? error.message : '' }))
} finally {
  await workspace.close()
}
