/**
 * What we print where the terminal's locale has no UTF-8, as gettext makes of translations for apt: our own quotes, dots,
 * arrows and lines become ASCII. Pipes and files get UTF-8 whatever the locale says.
 */

const PLAIN: Readonly<Record<string, string>> = {
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '…': '...',
  '→': '->',
  '–': '-',
  '─': '-',
  '│': '|',
  '├': '|',
  '└': '`',
  µ: 'u',
}

/** How much longer a line may get: table rows end in at most one `…`. */
export const ASCII_MARGIN = 2

export function toAscii(text: string): string {
  return text.replaceAll(/[‘’“”…→–─│├└µ]/g, (character) => PLAIN[character] ?? character)
}

/** As setlocale(3) finds the character type: LC_ALL, LC_CTYPE, LANG, the first that is set. */
export function isUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => value !== undefined && value !== '')
  return /utf-?8/i.test(locale ?? '')
}

/** Whether text for that stream has to be ASCII. */
export function isAsciiOnly(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && !isUtf8(env)
}

/** Text for that stream. */
export function textFor(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): (text: string) => string {
  return isAsciiOnly(stream, env) ? toAscii : (text) => text
}
