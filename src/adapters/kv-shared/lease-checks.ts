import { show } from '../../core/options.ts'
import type { LeaseGrant } from '../../ports/lease.ts'
import { invalidInput } from '../storage-shared/refusals.ts'
import { checkKey, checkTtl } from './checks.ts'

const TTL_MAX_MS = 86_400_000

/** @throws {HoldfastError} `INVALID_INPUT` or `NOT_JSON` (effect none). */
export function checkAcquire(name: string, owner: string, ttlMs: number): void {
  checkKey('acquire: name', name)
  checkKey(`acquire ${name}: owner`, owner)
  checkTtl(`acquire ${name}: ttlMs`, ttlMs, TTL_MAX_MS)
}

export function checkRenew(grant: LeaseGrant, ttlMs: number): void {
  checkGrant('renew', grant)
  checkTtl(`renew ${grant.name}: ttlMs`, ttlMs, TTL_MAX_MS)
}

export function checkGrant(call: string, grant: LeaseGrant): void {
  if (typeof grant !== 'object' || grant === null) throw invalidInput(`${call}: grant`, 'what acquire or renew answered', show(grant))
  checkKey(`${call}: name`, grant.name)
  checkKey(`${call} ${grant.name}: owner`, grant.owner)
  if (!Number.isSafeInteger(grant.token) || grant.token < 1)
    throw invalidInput(`${call} ${grant.name}: token`, 'a whole number above 0', show(grant.token))
}
