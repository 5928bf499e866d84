import { setTimeout as sleep } from 'node:timers/promises'

/** Asks until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>, everyMs = 25): Promise<void> {
  while (!(await isSo())) await sleep(everyMs)
}

export { sleep }
