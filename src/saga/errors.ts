import { HoldfastError, refusal } from '../core/errors.ts'
import { show } from '../core/options.ts'

const never = { effect: 'none', retry: 'never' } as const

const NOT_STARTED = 'the sagas are not started: await hf.start() first (engine.start() where there is no hf)'

export const notStarted = (why = NOT_STARTED): HoldfastError => refusal('NOT_STARTED', why)

export const notRegistered = (name: string, known: readonly string[]): HoldfastError =>
  new HoldfastError(
    'NOT_REGISTERED',
    known.includes(name)
      ? `saga ${name}: another definition of that name is registered; register and start the same object`
      : `saga ${name} is not registered (registered: ${known.join(', ') || 'none'})`,
    { ...never, details: { name } },
  )

export const noDefinition = (verb: string, given: unknown): HoldfastError =>
  new HoldfastError('INVALID_OPTIONS', `${verb}: its first argument must be a saga made by saga(…).returns(…), got ${show(given)}`, {
    ...never,
    details: { owner: verb, option: 'definition', given },
  })

export const badId = (owner: string, must: string, given: unknown): HoldfastError =>
  new HoldfastError('INVALID_INPUT', `${owner}: id must be ${must}, got ${show(given)}`, {
    ...never,
    details: { issues: [{ path: 'id', message: `must be ${must}` }] },
  })

export const notFound = (name: string, id: string): HoldfastError =>
  new HoldfastError('SAGA_NOT_FOUND', `there is no saga ${name} with the id ${JSON.stringify(id)}`, {
    ...never,
    details: { saga: name, id },
  })

export const idReused = (name: string, id: string, holder: string): HoldfastError =>
  new HoldfastError(
    'SAGA_ID_REUSED',
    `saga ${name}: the id ${JSON.stringify(id)} is taken by ${holder === name ? 'a saga with another input' : `a saga ${holder}`}`,
    { ...never, details: { saga: name, id } },
  )

/** A verb came too late, or does not fit the state the saga is in. */
export const refusedNow = (name: string, id: string, verb: string, why: string): HoldfastError =>
  new HoldfastError('DECLINED', `saga ${name} ${id} cannot be ${verb}: ${why}`, never)

export const ownedElsewhere = (name: string, id: string): HoldfastError =>
  refusal('STORAGE_LOCKED', `saga ${name} ${id} belongs to another process now; ask there, or later`)
