#!/usr/bin/env -S MALLOC_MMAP_THRESHOLD_=131072 node
import { enableCompileCache } from 'node:module'
import { compileCacheFolder } from './cli/compile-cache.ts'
import { supportedNode } from './cli/node-version.ts'

// For glibc, which reads it when a process begins: without it each thread keeps some 20 MiB that it has freed, for its next
// large allocation (docs/images.md 11). Programs that vmpkg starts are no part of that.
delete process.env['MALLOC_MMAP_THRESHOLD_']
enableCompileCache(compileCacheFolder(process.env, process.getuid?.() ?? 0))
process.exitCode = supportedNode(process.versions.node) ? await (await import('./cli/main.ts')).main(process) : 100
