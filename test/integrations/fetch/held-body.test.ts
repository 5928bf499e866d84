import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { bulkhead, policies, retry, timeout } from '../../../src/index.ts'
import { resilientFetch } from '../../../src/integrations/fetch/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { script, status, turn } from '../http.ts'

async function until(holds: () => boolean, each: () => void = () => {}): Promise<void> {
  for (let turns = 0; turns < 1_000 && !holds(); turns++) {
    each()
    await turn()
  }
}

async function slot(answer: Parameters<typeof script>[0] = status(200)) {
  const { url, seen } = await script(answer)
  const one = bulkhead({ concurrent: 1 })
  return { url, seen, one, guarded: resilientFetch(one) }
}

describe('a permit is held', () => {
  test('until the body has been read to its end', async () => {
    const { url, one, guarded } = await slot()
    const response = await guarded(url)
    expect(one.running).toBe(1)
    await expect(guarded(url)).rejects.toMatchObject({ code: 'BULKHEAD_FULL' })
    expect(await response.text()).toBe('status 200')
    await until(() => one.running === 0)
    expect(one.running).toBe(0)
  })

  test('until the body is cancelled', async () => {
    const { url, one, guarded } = await slot((res) => void res.writeHead(200).write('the first of many'))
    const response = await guarded(url)
    await turn()
    expect(one.running).toBe(1)
    await response.body?.cancel()
    await until(() => one.running === 0)
    expect(one.running).toBe(0)
  })

  test('until the body fails', async () => {
    const { url, one, guarded } = await slot((res) => {
      res.writeHead(200, { 'content-length': '100' }).write('half')
      setImmediate(() => res.destroy())
    })
    const response = await guarded(url)
    await expect(response.text()).rejects.toThrow()
    await until(() => one.running === 0)
    expect(one.running).toBe(0)
  })

  test('until the caller aborts, the body unread', async () => {
    const { url, one, guarded } = await slot((res) => void res.writeHead(200).write('the first of many'))
    const abort = new AbortController()
    const response = await guarded(url, { signal: abort.signal })
    expect(one.running).toBe(1)
    abort.abort()
    await until(() => one.running === 0)
    expect(one.running).toBe(0)
    await expect(response.text()).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('until an unread response is collected', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { url, one, guarded } = await slot()
    await (async () => void (await guarded(url)))()
    await until(() => one.running === 0, collect)
    expect(one.running).toBe(0)
  })

  test.each<[string, Parameters<typeof script>[0], RequestInit]>([
    ['a 204', status(204, {}, ''), {}],
    ['an answer to HEAD', status(200), { method: 'HEAD' }],
    ['an empty body', status(200, { 'content-length': '0' }, ''), {}],
  ])('not beyond the answer for %s', async (_, answer, init) => {
    const { url, one, guarded } = await slot(answer)
    await guarded(url, init)
    await until(() => one.running === 0)
    expect(one.running).toBe(0)
  })

  test('not beyond the answer for a 503, so that a retry outside the bulkhead can have it', async () => {
    const { url, one, seen } = await slot(status(503))
    const response = await resilientFetch(policies(retry({ attempts: 3, delayMs: 0 }), one))(url)
    expect([response.status, seen.length, one.running]).toEqual([503, 3, 0])
  })
})

describe('a held response', () => {
  test('may be read for longer than the timeout that its headers had to meet', async () => {
    const clock = testClock()
    const { url } = await script((res) => {
      res.writeHead(200).write('first, ')
      finish = () => res.end('last')
    })
    let finish = (): void => {}
    const response = await resilientFetch(timeout({ timeoutMs: 100, clock }))(url)
    await clock.advance(1_000)
    finish()
    expect(await response.text()).toBe('first, last')
  })

  test('is like the one from fetch', async () => {
    const { url, guarded } = await slot((res, req) => {
      if (req.url === '/from') res.writeHead(302, { location: '/to' }).end()
      else res.writeHead(201, 'Made', { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] }).end('{"n":1}')
    })
    const response = await guarded(`${url}/from`)
    const { status, statusText, ok, redirected, type } = response
    expect({ status, statusText, ok, redirected, type }).toEqual({
      status: 201,
      statusText: 'Made',
      ok: true,
      redirected: true,
      type: 'basic',
    })
    expect(response.url).toBe(`${url}/to`)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    const clone = response.clone()
    expect([clone.url, clone.redirected, clone.clone().url]).toEqual([`${url}/to`, true, `${url}/to`])
    expect([response.bodyUsed, await response.json(), response.bodyUsed, await clone.json()]).toEqual([false, { n: 1 }, true, { n: 1 }])
  })

  test('is read in chunks of any size, by byte readers too', async () => {
    const big = 'x'.repeat(300_000)
    const { url, one, guarded } = await slot(status(200, {}, big))
    const reader = (await guarded(url)).body?.getReader({ mode: 'byob' })
    let length = 0
    for (;;) {
      const read = await reader?.read(new Uint8Array(1_000))
      if (read === undefined || read.done) break
      length += read.value.byteLength
    }
    expect(length).toBe(big.length)
    await until(() => one.running === 0)
    expect(one.running).toBe(0)
  })

  test('passes over empty chunks', async () => {
    const chunks = [new Uint8Array(), new TextEncoder().encode('ab'), new Uint8Array(), new TextEncoder().encode('c')]
    const body = new ReadableStream({
      pull(controller) {
        const chunk = chunks.shift()
        if (chunk === undefined) controller.close()
        else controller.enqueue(chunk)
      },
    })
    const guarded = resilientFetch(policies(), { fetch: async () => new Response(body) })
    expect(await (await guarded('http://127.0.0.1:9/')).text()).toBe('abc')
  })

  test('of a kind that cannot be made again is given as it is', async () => {
    const opaque = Response.error()
    expect(await resilientFetch(policies(), { fetch: async () => opaque })('http://127.0.0.1:9/')).toBe(opaque)
  })
})
