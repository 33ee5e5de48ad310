/**
 * A recipe: the declarative description of the images of one package (decisions 24). A closed set of fields and verbs,
 * no commands, no scripts; the builder knows how, the recipe says what. Authored by the publisher, checked as strictly
 * as foreign input because a package folder may have been fetched from anywhere before it is built.
 */
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { isPackageName } from '../model/name.ts'

const MAXIMUM_RECIPE_BYTES = 64 * 1024

/** A path below the tree's root: no leading slash, no empty, `.` or `..` parts, plain characters. */
const treePath = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9_+@.-]+(?:\/[A-Za-z0-9_+@.-]+)*$/, 'write a relative path of plain characters')
  .refine((path) => path.split('/').every((part) => part !== '.' && part !== '..'), 'must not contain . or ..')
const linkTarget = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9_+@./-]+$/)
const debianPackage = z
  .string()
  .max(100)
  .regex(/^[a-z0-9][a-z0-9+.-]+$/)
const moduleName = z
  .string()
  .max(64)
  .regex(/^[a-z0-9_-]+$/)
const account = z.string().regex(/^[a-z_][a-z0-9_-]{0,30}$/)
const mode = z.string().regex(/^[0-7]{4}$/)
const label = z.string().regex(/^[A-Za-z0-9_-]{1,16}$/)

const kernelOutput = z.strictObject({ role: z.literal('kernel') })
const initrdOutput = z.strictObject({ role: z.literal('initrd'), modules: z.array(moduleName).min(1).max(32) })
const erofsOutput = z.strictObject({
  role: z.literal('root'),
  filesystem: z.literal('erofs'),
  /** Ends with a dm-verity hash tree, which the initrd holds against the root hash of the kernel's command line. */
  verity: z.boolean().default(false),
})
const ext4Output = z.strictObject({
  role: z.literal('disk'),
  filesystem: z.literal('ext4'),
  label,
  sizeMib: z.int().min(16).max(65_536),
})
/** A disk that boots by itself: GPT, a FAT with one unified kernel image, an ext4 root. */
const uefiOutput = z.strictObject({
  role: z.literal('disk'),
  layout: z.literal('uefi'),
  label,
  sizeMib: z.int().min(256).max(65_536),
  /** Loaded by the initrd that is part of the kernel image. */
  modules: z.array(moduleName).min(1).max(32),
  /** Words after the `root=` that the layout gives. */
  commandLine: z
    .string()
    .max(512)
    .regex(/^[A-Za-z0-9_.,:=/@+-]+(?: [A-Za-z0-9_.,:=/@+-]+)*$/, 'write plain words with one blank between'),
})

const users = z
  .array(
    z.strictObject({
      name: account,
      uid: z.int().min(0).max(65_534),
      gid: z.int().min(0).max(65_534),
      group: account.optional(),
      home: linkTarget,
      shell: linkTarget,
    }),
  )
  .max(20)
  .default([])
/** Files and folders of the packages that stay out of the image. */
const remove = z.array(treePath).max(100).default([])

const debian = {
  recipe: z.literal(1),
  suite: z
    .string()
    .max(32)
    .regex(/^[a-z][a-z0-9-]*$/),
  components: z.array(z.enum(['main', 'contrib', 'non-free', 'non-free-firmware'])).default(['main']),
  /** Every time stamp in the images. */
  epoch: z.iso.datetime(),
  packages: z.array(debianPackage).min(1).max(200),
  directories: z.record(treePath, mode).default({}),
  links: z.record(treePath, linkTarget).default({}),
  /** Folders copied over the tree in order: `image/...` of the package, or `shared:NAME` beside it. */
  files: z
    .array(
      z.strictObject({
        from: z.union([treePath, z.string().regex(/^shared:[a-z0-9-]+$/)]),
        executable: z.array(treePath).max(200).default([]),
      }),
    )
    .max(10)
    .default([]),
}

const common = {
  ...debian,
  kernel: z.strictObject({ package: debianPackage, modules: z.array(moduleName).max(200) }),
}

/** Packages are unpacked, no maintainer script runs, and only `keep` goes into the images. */
const extractSchema = z.strictObject({
  ...common,
  variant: z.literal('extract'),
  keep: z.array(treePath).min(1).max(500),
  users,
  outputs: z
    .array(z.union([kernelOutput, initrdOutput, erofsOutput, ext4Output]))
    .min(1)
    .max(4),
})

/** Packages are installed, with their maintainer scripts, into a small Debian that can install more. */
const minbaseSchema = z.strictObject({
  ...common,
  variant: z.literal('minbase'),
  remove,
  /** Further accounts, locked; Debian's own stay. */
  users,
  outputs: z.tuple([uefiOutput]),
})

/** Packages are installed over the disk of another package, and what they change is written into a copy of it. */
const layerSchema = z.strictObject({
  ...debian,
  variant: z.literal('layer'),
  /** Name of a package whose recipe is `minbase` or a layer itself. */
  base: z.string().max(64).refine(isPackageName, 'not the name of a package'),
  remove,
  users,
  outputs: z.tuple([z.strictObject({ role: z.literal('disk') })]).default([{ role: 'disk' }]),
})

/** The disk of a vendor's release, verified by the vendor's signature and whatever else is named, as it comes. */
const upstreamSchema = z.strictObject({
  recipe: z.literal(1),
  variant: z.literal('upstream'),
  /** `vendor:version:flavour`; a moving version needs a digest to be the same twice. */
  from: z
    .string()
    .max(100)
    .regex(/^[a-z][a-z0-9-]*:[0-9][A-Za-z0-9.-]*:[a-z][a-z0-9-]*$/, 'write VENDOR:VERSION:FLAVOUR'),
  /** Digests that the published file must have. */
  digests: z
    .array(z.string().regex(/^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/))
    .max(2)
    .default([]),
  /** Further lists of checksums, which have to agree. */
  crossChecks: z.array(z.url()).max(4).default([]),
  /** Bytes of the disk; what the image says without. */
  virtualSize: z.int().min(512).exactOptional(),
  outputs: z.tuple([z.strictObject({ role: z.literal('disk') })]).default([{ role: 'disk' }]),
})

const schemas = [extractSchema, minbaseSchema, layerSchema, upstreamSchema] as const
const recipeSchema = z.discriminatedUnion('variant', schemas).superRefine((recipe, context) => {
  const roles = recipe.outputs.map((output: { readonly role: string }) => output.role)
  if (new Set(roles).size !== roles.length) {
    context.addIssue({ code: 'custom', path: ['outputs'], message: 'each role may appear once' })
  }
  if (hasVerity(recipe) && !roles.includes('initrd')) {
    context.addIssue({ code: 'custom', path: ['outputs'], message: 'verity needs an initrd, which checks the root' })
  }
})

export type Recipe = z.infer<typeof recipeSchema>
export type ExtractRecipe = z.infer<typeof extractSchema>
export type MinbaseRecipe = z.infer<typeof minbaseSchema>
/** Built from Debian packages alone. */
export type DebianRecipe = ExtractRecipe | MinbaseRecipe
/** Built from Debian packages on the image of another package. */
export type LayerRecipe = z.infer<typeof layerSchema>
export type UpstreamRecipe = z.infer<typeof upstreamSchema>
export type RecipeOutput = ExtractRecipe['outputs'][number]

/**
 * Checks the text of a `recipe.yaml`.
 * @throws {VmpkgError} `RECIPE_INVALID`
 */
export function parseRecipe(text: string, source: string): Recipe {
  if (Buffer.byteLength(text) > MAXIMUM_RECIPE_BYTES) throw invalid(source, ['larger than 64 KiB'])
  const document = parseDocument(text, { uniqueKeys: true, strict: true, version: '1.2' })
  const problems = [...document.errors, ...document.warnings]
  if (problems.length > 0)
    throw invalid(
      source,
      problems.map((problem) => problem.message.split('\n')[0] ?? ''),
    )
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: 0 })
  } catch (cause) {
    throw invalid(source, ['aliases are not allowed'], cause)
  }
  const result = recipeSchema.safeParse(data)
  if (!result.success) {
    throw invalid(
      source,
      result.error.issues.map((issue) => `${issue.path.join('.') || 'recipe'}: ${issue.message}`),
    )
  }
  return result.data
}

/** JSON Schema (2020-12) of a recipe, for editors. */
export function recipeJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(recipeSchema, { io: 'input', unrepresentable: 'any' }), title: 'recipe.yaml, format 1' }
}

/** Whether the recipe makes a root that is checked while it is read. */
export function hasVerity({ outputs }: { readonly outputs: readonly object[] }): boolean {
  return outputs.some((output) => 'verity' in output && output.verity === true)
}

/** Seconds since 1970 that every time stamp in the images carries. */
export function epochSeconds(recipe: DebianRecipe | LayerRecipe): number {
  return Math.floor(Date.parse(recipe.epoch) / 1000)
}

function invalid(source: string, problems: readonly string[], cause?: unknown): VmpkgError {
  const shown = problems.slice(0, 5).map((problem) => JSON.stringify(problem.slice(0, 200)))
  return new VmpkgError('RECIPE_INVALID', `The recipe ${JSON.stringify(source)} is not valid: ${shown.join(', ')}`, {
    hint: 'Correct the recipe; docs/images-build.md lists its fields.',
    cause,
    details: { problems: problems.slice(0, 20) },
  })
}
