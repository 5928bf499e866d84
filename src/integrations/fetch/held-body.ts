import type { ReadableStream as Body, ReadableStreamDefaultReader, ReadableStreamReadResult } from 'node:stream/web'
import type { Context } from '../../core/context.ts'

type Reader = ReadableStreamDefaultReader<Uint8Array>

/** Ends the bodies that nobody can read any more, so that a forgotten response gives its permit back. */
const forgotten = new FinalizationRegistry<Reader>((reader) => void reader.cancel().catch(() => {}))

/**
 * The same response with the permits of `ctx` held until its body has been read to its end, was cancelled, failed, or can no longer be
 * reached by anybody.
 */
export function heldUntilRead(response: Response, ctx: Context): Response {
  const { body, status, statusText, headers } = response
  if (body === null || headers.get('content-length') === '0') return response
  const reader = (body as Body<Uint8Array>).getReader()
  ctx.hold(reader.closed)
  const held = relay(reader)
  forgotten.register(held, reader, reader)
  reader.closed.catch(() => {}).finally(() => forgotten.unregister(reader))
  return likeness(response, new Response(held as NonNullable<ConstructorParameters<typeof Response>[0]>, { status, statusText, headers }))
}

/** Reads only when asked to (no read-ahead), and in bytes, as the bodies of fetch do. */
function relay(reader: Reader): Body<Uint8Array> {
  return new ReadableStream(
    {
      type: 'bytes',
      async pull(controller) {
        const { done, value } = await nextOf(reader)
        if (!done) return controller.enqueue(value)
        controller.close()
        controller.byobRequest?.respond(0)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** A byte stream takes no empty chunk. */
async function nextOf(reader: Reader): Promise<ReadableStreamReadResult<Uint8Array>> {
  for (;;) {
    const next = await reader.read()
    if (next.done || next.value.byteLength > 0) return next
  }
}

/** What the constructor of a response cannot be told. */
function likeness(original: Response, copy: Response): Response {
  const clone = copy.clone.bind(copy)
  return Object.defineProperties(copy, {
    url: { value: original.url },
    redirected: { value: original.redirected },
    type: { value: original.type },
    clone: { value: () => likeness(original, clone()) },
  })
}
