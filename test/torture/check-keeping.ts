// The checkpoints' promise 1: whoever has lost the lease moves nothing any more, and no step is taken twice.
import type { Facts, Tell } from './checker.ts'
import type { Kept } from './history.ts'

export function checkKeeping({ history: { kept } }: Facts, tell: Tell): void {
  const saved = kept.filter(({ isSaved }) => isSaved).sort((a, b) => a.from - b.from || a.to - b.to)
  let former: Kept | undefined
  for (const save of saved) {
    const begun = former?.to ?? 0
    // A keeper that was killed may have saved a step that it could not tell of.
    if (save.from < begun) tell(1, `${save.keeper} moved the checkpoint from ${save.from}, which ${former?.keeper} had moved to ${begun}`)
    if (former !== undefined && save.token < former.token)
      tell(1, `${save.keeper} moved the checkpoint under token ${save.token} after ${former.keeper} had under ${former.token}`)
    former = save
  }
}
