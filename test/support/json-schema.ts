/** Checks data against a JSON Schema with Debian's python3-jsonschema, as an editor would. */
import { realProcesses } from './real-processes.ts'

const PROGRAM = `
import json, sys, jsonschema
schema, documents = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
print(json.dumps([["/".join(map(str, e.absolute_path)) for e in validator.iter_errors(d)] for d in documents]))
`

/** For each document the paths where it does not fit; none where it does. */
export async function schemaErrors(schema: unknown, documents: readonly unknown[]): Promise<string[][]> {
  const result = await realProcesses.run('python3', ['-c', PROGRAM], { input: JSON.stringify([schema, documents]) })
  if (result.exitCode !== 0) throw new Error(`python3-jsonschema: ${result.stderr}`)
  return JSON.parse(result.stdout) as string[][]
}
