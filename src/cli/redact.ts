type Environment = Readonly<Record<string, string | undefined>>

const USER_INFO = /:\/\/([^/?#\s]*)@/g
const PASSWORD_PARAMETER = /([?&](?:ssl)?password=)([^&\s#]*)/gi
/** Shorter ones would strike out half of every message. */
const SECRET_MIN = 4

/** A text without the passwords that were given, in whatever place and form. */
export function redacted(text: string, args: readonly string[], env: Environment): string {
  const plain = text.replace(USER_INFO, '://***@').replace(PASSWORD_PARAMETER, '$1***')
  return secretsOf([...args, env.DATABASE_URL ?? ''], env.PGPASSWORD).reduce((shown, secret) => shown.replaceAll(secret, '***'), plain)
}

function secretsOf(urls: readonly string[], password = ''): readonly string[] {
  const raw = urls.flatMap((url) => [
    ...[...url.matchAll(USER_INFO)].map(([, user = '']) => user.slice(user.indexOf(':') + 1 || user.length)),
    ...[...url.matchAll(PASSWORD_PARAMETER)].map(([, , secret = '']) => secret),
  ])
  const plain = [...raw.map(decoded), password]
  const all = [...raw, ...plain, ...plain.map(encodeURIComponent)].filter((secret) => secret.length >= SECRET_MIN)
  // The longest first, so that none is cut in half by another.
  return [...new Set(all)].toSorted((a, b) => b.length - a.length)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
