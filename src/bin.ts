#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { compileCacheFolder } from './cli/compile-cache.ts'
import { supportedNode } from './cli/node-version.ts'

enableCompileCache(compileCacheFolder(process.env, process.getuid?.() ?? 0))
process.exitCode = supportedNode(process.versions.node) ? await (await import('./cli/main.ts')).main(process) : 100
