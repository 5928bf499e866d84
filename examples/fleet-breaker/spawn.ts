// A process of the fleet, as main.ts sees it: questions and answers over IPC.
import { fork } from 'node:child_process'
import { once } from 'node:events'

export interface Instance {
  /** Asks the inventory through the breaker: the status, or the code of the refusal. */
  call(): Promise<string>
  state(): Promise<{ readonly breaker: string; readonly fleet: string }>
  stop(): Promise<void>
  kill(): void
}

export async function spawn(options: { readonly name: string; readonly url: string; readonly prefix: string }): Promise<Instance> {
  const child = fork(new URL('./instance.ts', import.meta.url), [JSON.stringify(options)])
  const answers: ((answer: never) => void)[] = []
  child.on('message', (answer) => answers.shift()?.(answer as never))
  const ask = <Answer>(question: string): Promise<Answer> =>
    new Promise((resolve) => {
      answers.push(resolve)
      child.send(question)
    })
  await new Promise((ready) => answers.push(ready))
  return {
    call: () => ask('call'),
    state: () => ask('state'),
    stop: async () => {
      child.send('stop')
      await once(child, 'exit')
    },
    kill: () => void child.kill('SIGKILL'),
  }
}
