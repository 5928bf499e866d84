/** Lets those that share a name go on in the order in which they came, and everybody else at once. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** `turn` resolves when all who came before with one of the names are done; undefined: there are none. `done` has to be called. */
  take(names: readonly string[]): { readonly turn: Promise<unknown> | undefined; readonly done: () => void } {
    let done = (): void => {}
    const mine = new Promise<void>((resolve) => {
      done = resolve
    })
    const before = new Set<Promise<void>>()
    // A name may stand there twice, and nobody waits for himself.
    for (const name of new Set(names)) {
      const last = this.#last.get(name)
      if (last !== undefined) before.add(last)
      this.#last.set(name, mine)
    }
    return {
      turn: before.size === 0 ? undefined : Promise.all(before),
      done: () => {
        for (const name of names) if (this.#last.get(name) === mine) this.#last.delete(name)
        done()
      },
    }
  }
}
