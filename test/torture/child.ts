// A process of the torture, bundled when it runs. Ends when SIGTERM has been heard and what was under way is answered.
import { keep } from './keeper.ts'
import type { Order } from './order.ts'
import { Recorder } from './recorder.ts'
import { openTarget } from './target.ts'
import { Writer } from './writer.ts'

const order = JSON.parse(process.argv[2] ?? '') as Order
const recorder = new Recorder(order.record)
const opened = await openTarget(order.target)
const over = new AbortController()

async function write(): Promise<void> {
  const writer = new Writer(order, opened, recorder)
  over.signal.addEventListener('abort', () => writer.stop(), { once: true })
  await writer.run()
}

/** Goes on from where it was when its connection is cut, as whoever subscribes has to. */
async function read(): Promise<void> {
  let after = BigInt(order.after)
  while (!over.signal.aborted) {
    try {
      for await (const { events, scannedTo } of opened.store.subscribe({ after, signal: over.signal })) {
        const places = events.map(({ position, id, stream, version, tags }) => ({ position: Number(position), id, stream, version, tags }))
        recorder.line({ k: 'batch', v: { scannedTo: Number(scannedTo), events: places } })
        await recorder.flushed()
        process.stdout.write(`${scannedTo}\n`)
        after = scannedTo
      }
    } catch (error) {
      if (over.signal.aborted) return
      if ((error as { retry?: string }).retry !== 'later') throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

process.once('SIGTERM', () => over.abort())
process.stdout.write('ready\n')
const roles = { writer: write, reader: read, keeper: () => keep(order, opened, recorder, over.signal) }
await roles[order.role]()
recorder.flush()
await opened.close()
