import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisStorage } from '../../../src/adapters/redis/index.ts'
import { keyValueContract, leaseContract } from '../../../src/testing/contracts/index.ts'
import { describeWith } from '../../support/services.ts'
import { type Connected, freshPrefix, packages, removeAll, sleep } from './support.ts'

for (const name of ['ioredis', 'redis'] as const) {
  describeWith('redis', `through ${name}`, () => {
    let clients: Connected[] = []
    beforeAll(async () => {
      clients = [await packages[name](), await packages[name]()]
    })
    afterAll(async () => {
      for (const { end } of clients) await end()
    })

    const stand = async () => {
      const prefix = freshPrefix()
      let turn = 0
      const storage = () => redisStorage((clients[turn++ % 2] as Connected).client, { prefix })
      return {
        keyValue: () => storage().keyValue,
        lease: () => storage().lease,
        passMs: sleep,
        close: () => removeAll(prefix),
      }
    }

    describe('KeyValue', () => {
      for (const { promise, name, run } of keyValueContract)
        test(`promise ${promise}: ${name}`, () => expect(run(stand)).resolves.toBeUndefined())
    })
    describe('Lease', () => {
      for (const { promise, name, run } of leaseContract)
        test(`promise ${promise}: ${name}`, () => expect(run(stand)).resolves.toBeUndefined())
    })
  })
}
