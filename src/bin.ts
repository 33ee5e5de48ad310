#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { supportedNode } from './cli/node-version.ts'

enableCompileCache()
process.exitCode = supportedNode(process.versions.node) ? await (await import('./cli/main.ts')).main(process) : 100
