import { HoldfastError } from '../../../core/errors.ts'

const TAKEN = 'a client of pg inside BEGIN, what sql.begin() hands its function, or a transaction of Drizzle, Kysely or Prisma'

export const txNotOpen = (found: string, cause?: unknown): HoldfastError =>
  new HoldfastError('TX_NOT_OPEN', `tx must be an open transaction (${TAKEN}), got ${found}; nothing was written`, {
    effect: 'none',
    retry: 'never',
    details: { found },
    cause,
  })
