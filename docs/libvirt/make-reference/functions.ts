/** The function of libvirt's own library that a procedure carries out. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every function that libvirt exports for a procedure of its own, as its header files name them. */
const FUNCTIONS = new Map(
  readFileSync(join(import.meta.dirname, 'functions.txt'), 'utf8')
    .trim()
    .split('\n')
    .map((name) => [name.toLowerCase(), name]),
)

/** Procedures that are called otherwise than their function. */
const OTHERWISE: Readonly<Record<string, string>> = {
  DOMAIN_AGENT_COMMAND: 'virDomainQemuAgentCommand',
  DOMAIN_MONITOR_COMMAND: 'virDomainQemuMonitorCommand',
}

/** Steps of a function that drives several of them, on both sides. */
const STEPS = /^DOMAIN_MIGRATE_(PREPARE|BEGIN|PERFORM|FINISH|CONFIRM)/

/** `virDomainCreate` for `DOMAIN_CREATE`; nothing where libvirt has no function of that name. */
export function functionOf(procedure: string): string | undefined {
  if (STEPS.test(procedure)) return 'virDomainMigrate3'
  return OTHERWISE[procedure] ?? FUNCTIONS.get(`vir${procedure.replaceAll('_', '')}`.toLowerCase())
}
