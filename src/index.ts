/**
 * The library: what the command line does, as functions that return data and print nothing. `vmpkg/libvirt` is the
 * libvirt client on its own.
 */
export { ERROR_CODES, type ErrorCode, isVmpkgError, VmpkgError } from './errors.ts'
export type { Emit, Stage, VmpkgEvent } from './events.ts'
export { systemOutside } from './node/outside.ts'
export { applyTransition, type TransitionResult } from './operations/apply-transition.ts'
export { buildTemplates } from './operations/build.ts'
export { clean } from './operations/clean.ts'
export { type CloneRequest, type CloneResult, clone } from './operations/clone.ts'
export { collectGarbage } from './operations/gc.ts'
export { listHistory, showHistory } from './operations/history.ts'
export {
  applyInstall,
  type InstallPlan,
  type InstallRequest,
  type InstallResult,
  planInstall,
  planUpgrade,
} from './operations/install.ts'
export { lintPackages } from './operations/lint.ts'
export { list } from './operations/list.ts'
export { listMarked, markPackages } from './operations/mark.ts'
export { publish } from './operations/publish.ts'
export { applyRemove, planRemove } from './operations/remove.ts'
export { addToRegistry } from './operations/repo-add.ts'
export { diffRegistry } from './operations/repo-diff.ts'
export { collectRegistryGarbage } from './operations/repo-gc.ts'
export { initRegistry } from './operations/repo-init.ts'
export { mergeRegistry } from './operations/repo-merge.ts'
export { mirrorRegistry } from './operations/repo-mirror.ts'
export { promotePackage } from './operations/repo-promote.ts'
export { pushToTarget } from './operations/repo-push.ts'
export { resignRegistry } from './operations/repo-resign.ts'
export { rotateKey } from './operations/repo-rotate-key.ts'
export { serveRegistry } from './operations/repo-serve.ts'
export { signRootDraft } from './operations/repo-sign-root.ts'
export { listSnapshots, removeSnapshot, snapshotRegistry } from './operations/repo-snapshot.ts'
export { verifyRegistry } from './operations/repo-verify.ts'
export { yankPackage } from './operations/repo-yank.ts'
export { planReversion } from './operations/revert.ts'
export { removeClones } from './operations/rm.ts'
export { search } from './operations/search.ts'
export { show } from './operations/show.ts'
export { addSource } from './operations/source-add.ts'
export { startMachines } from './operations/start.ts'
export { listMachines, machineStatus } from './operations/status.ts'
export { stopMachines } from './operations/stop.ts'
export { update } from './operations/update.ts'
export { repair, verify } from './operations/verify.ts'
export { type Outside, openWorkspace, type Workspace, type WorkspaceOptions } from './operations/workspace.ts'
export { parseXml } from './xml/parse.ts'
export { readSchema, type Schema } from './xml/schema/grammar.ts'
export { requiredVersion, type VersionNeed } from './xml/schema/required-version.ts'
export { findSchemaFaults, type SchemaFault } from './xml/schema/validate.ts'
export { type View, viewDocument } from './xml/schema/view.ts'
export type * as LibvirtXml from './xml/schema/view-types.ts'
export { formatXml, type XmlDocument, type XmlElement } from './xml/tree.ts'
