import type { Page } from '../kv-shared/checks.ts'
import type { Link } from './link.ts'
import { array, type Stored, storedOf, text } from './replies.ts'
import { list } from './scripts.ts'

export interface Kind {
  readonly kind: 'v' | 'l'
  readonly one: string
  readonly two: string
}

/** One page. Usually one round trip; more where many have run out that were not swept yet. */
export async function pageOf(link: Link, { kind, one, two }: Kind, page: Page, signal: AbortSignal | undefined): Promise<Stored[]> {
  const found: Stored[] = []
  let { after } = page
  while (found.length < page.limit) {
    const least = leastOf(page.prefix, after)
    const reply = await link.run(
      list,
      [kind, one, two, least, page.prefix, String(page.limit - found.length)],
      { name: 'list', writes: false },
      signal,
    )
    const [some, next] = array(reply)
    for (const each of array(some)) found.push(storedOf(each) as Stored)
    if (text(next) === '') break
    after = text(next)
  }
  return found
}

/** The later of where the prefix begins and where the page before ended, as ZRANGEBYLEX wants it. */
function leastOf(prefix: string, after: string | undefined): string {
  if (after !== undefined && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0) return `(${after}`
  return prefix === '' ? '-' : `[${prefix}`
}
