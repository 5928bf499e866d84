// What is kept, not what is allocated: the heap after a collection, less the heap after the collection before.

/** Everything that was ever measured stays alive, so that what others leave behind is not freed while one is being measured. */
const kept: unknown[] = []

async function heapBytes(): Promise<number> {
  for (let turn = 0; turn < 2; turn++) {
    await new Promise((done) => setImmediate(done))
    globalThis.gc?.()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Bytes that each of `count` things keeps; `use` is done to each of them after it was made. */
export async function bytesEach<T>(count: number, make: (index: number) => T, use?: (thing: T) => unknown): Promise<number> {
  const fill = async (into: T[]): Promise<void> => {
    for (let i = 0; i < into.length; i++) into[i] = make(i)
    if (use) for (const thing of into) await use(thing)
  }
  // Code that is compiled on the way is not theirs.
  await fill(new Array<T>(500))
  const things = new Array<T>(count)
  kept.push(things)
  const before = await heapBytes()
  await fill(things)
  return ((await heapBytes()) - before) / count
}

/** Bytes that each of `count` calls keeps until its work has ended. */
export async function bytesInFlight(count: number, call: (work: () => Promise<unknown>) => unknown): Promise<number> {
  const open: Array<(value?: unknown) => void> = new Array(count)
  for (let i = 0; i < 500; i++) await call(async () => 1)
  const calls = new Array<unknown>(count)
  let at = 0
  const before = await heapBytes()
  for (let i = 0; i < count; i++)
    calls[i] = call(
      () =>
        new Promise((done) => {
          open[at++] = done
        }),
    )
  const bytes = ((await heapBytes()) - before) / count
  // Those that waited begin, and so have to be ended, only when others have ended.
  for (let ended = 0; ended < count; ) {
    while (ended < at) open[ended++]?.()
    await new Promise((done) => setImmediate(done))
  }
  await Promise.all(calls)
  return bytes
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Milliseconds of the processor's time in a second in which nothing is asked of anything. */
export async function idleCpuMs(): Promise<number> {
  await heapBytes()
  // The collector goes on for a while beside the program.
  await pause(500)
  const before = process.cpuUsage()
  await pause(1_000)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** Timers that are set while `work` goes on, those that would not keep the process alive included. */
export async function timersSet(work: () => Promise<unknown>): Promise<number> {
  const { setTimeout, setInterval } = globalThis
  let set = 0
  const counting = <F extends (...args: never[]) => unknown>(timer: F): F =>
    ((...args: Parameters<F>) => {
      set += 1
      return timer(...args)
    }) as F
  globalThis.setTimeout = counting(setTimeout)
  globalThis.setInterval = counting(setInterval)
  try {
    await work()
  } finally {
    Object.assign(globalThis, { setTimeout, setInterval })
  }
  return set
}
