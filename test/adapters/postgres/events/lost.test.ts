// What becomes of a batch whose answer was lost, or that the server refused.
import { expect, test } from 'vitest'
import type { PgClient } from '../../../../src/adapters/postgres/client/client.ts'
import { logLock } from '../../../../src/adapters/postgres/events/sql/locks.ts'
import { HoldfastError } from '../../../../src/core/errors.ts'
import { describeWith } from '../../../support/services.ts'
import { clientFor, until } from '../support.ts'
import { bench, event, expectSound, logOf, one, told } from './support.ts'

const lost = () => new HoldfastError('STORAGE_UNAVAILABLE', 'the connection was lost', { effect: 'unknown', retry: 'later' })

describeWith('postgres', 'lost and refused batches', () => {
  const { store, begin, clear, run, table, pooled, schema } = bench('lost')

  /** A client whose appends are sent by `send` in place of the real one. */
  const withAppends = (send: (real: () => ReturnType<PgClient['query']>) => ReturnType<PgClient['query']>): PgClient => {
    const real = clientFor(pooled)
    return {
      ...real,
      query: (statement, values, call) => {
        const go = () => real.query(statement, values, call)
        return statement.text.includes('event_append') ? send(go) : go()
      },
    }
  }

  test('rule 7: a connection that is killed while its batch waits is settled, and the batch written once', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const holder = await begin()
    await holder.tx.query(`select pg_advisory_xact_lock(${logLock({ schema, prefix: '' })})`)
    const asked = writer.append([one('a', 'none'), one('b', 'none', { idempotencyKey: 'k' })], { timeoutMs: 20_000 })
    const kill = async () =>
      (
        await run("select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and query like $1", [
          `%${schema}%event_append%`,
        ])
      ).length > 0
    await until('it was killed', kill)
    await holder.commit()
    expect((await asked).map(told)).toEqual(['ok 1 @1', 'ok 1 @2'])
    expectSound(await logOf(writer))
    expect(await logOf(writer)).toHaveLength(2)
    await writer.close()
  })

  test('rule 7: a batch that was written and whose answer was lost is answered with what was written', async () => {
    await clear()
    let losses = 0
    const client = withAppends(async (go) => {
      const rows = await go()
      if (losses++ === 0) throw lost()
      return rows
    })
    const writer = store({}, client)
    await writer.open()
    const verdicts = await writer.append([one('a', 'none'), one('a', 'none'), one('a', 1), one('b', 'any', { idempotencyKey: 'k' })])
    expect(verdicts.map(told)).toEqual(['ok 1 @1', 'conflict stream', 'ok 2 @3', 'ok 1 @2'])
    expectSound(await logOf(writer))
    expect((await writer.append([one('b', 'any', { idempotencyKey: 'k' })])).map(told)).toEqual(['duplicate 1 @2'])
    await writer.close()
  })

  test('rule 7: an answer that never comes is taken for lost, and settled', async () => {
    await clear()
    let losses = 0
    const client = withAppends(async (go) => {
      const rows = go()
      return losses++ === 0 ? await new Promise<never>(() => {}) : await rows
    })
    const writer = store({ answerMaxMs: 150 }, client)
    await writer.open()
    expect((await writer.append([one('a', 'none'), one('b', 'none')], { timeoutMs: 20_000 })).map(told)).toEqual(['ok 1 @1', 'ok 1 @2'])
    expect(await logOf(writer)).toHaveLength(2)
    await writer.close()
  })

  test('rule 7: an original that comes after its batch was claimed writes nothing', async () => {
    await clear()
    let late: (() => ReturnType<PgClient['query']>) | undefined
    const client = withAppends((go) => {
      if (late !== undefined) return go()
      late = go
      return Promise.reject(lost())
    })
    const writer = store({}, client)
    await writer.open()
    expect((await writer.append([one('a', 'any'), one('b', 'any')])).map(told)).toEqual(['ok 1 @1', 'ok 1 @2'])
    await expect(late?.()).rejects.toMatchObject({ effect: 'none', details: { sqlstate: '23505' } })
    expect(await logOf(writer)).toHaveLength(2)
    await writer.close()
  })

  test('rule 7: only where it cannot be settled before the deadline the answer is unknown, and asking again with the key is safe', async () => {
    await clear()
    const real = clientFor(pooled)
    let isDown = true
    const client: PgClient = {
      ...real,
      query: async (statement, values, call) => {
        const rows = await real.query(statement, values, call)
        if (isDown && statement.text.includes('event_append')) throw lost()
        return rows
      },
      transaction: (work, call) => (isDown && call.call === 'append' ? Promise.reject(lost()) : real.transaction(work, call)),
    }
    const writer = store({}, client)
    await writer.open()
    const request = one('a', 'none', { idempotencyKey: 'k' })
    expect((await writer.append([request], { timeoutMs: 60 })).map(told)).toEqual(['unknown STORAGE_UNAVAILABLE'])
    expect((await writer.stats()).unknown).toBe(1)
    isDown = false
    expect((await writer.append([request])).map(told)).toEqual(['duplicate 1 @1'])
    await writer.close()
  })

  test('rule 7: one key raced for from two stores and a transaction is written once, and repeated to all others', async () => {
    await clear()
    const [first, second] = [store(), store()]
    for (const each of [first, second]) await each.open()
    const request = one('a', 'any', { idempotencyKey: 'k' })
    const { tx, commit } = await begin()
    expect(told(await first.join(tx).append(request))).toBe('ok 1 @undefined')
    const racing = [first, second].flatMap((each) => Array.from({ length: 5 }, () => each.append([request], { timeoutMs: 20_000 })))
    await commit()
    const verdicts = (await Promise.all(racing)).flat()
    expect(verdicts.map(({ result }) => result)).toEqual(Array.from({ length: 10 }, () => 'duplicate'))
    expect(await logOf(second)).toHaveLength(1)
    const [again] = await first.append([request])
    expect(told(again)).toBe('duplicate 1 @1')
    expect((await first.append([one('b', 'any', { idempotencyKey: 'k' })])).map(told)).toEqual(['none KEY_REUSED'])
    expect((await first.append([one('a', 'any', { idempotencyKey: 'k', tenant: 't' })])).map(told)).toEqual(['ok 1 @2'])
    for (const each of [first, second]) await each.close()
  })

  test('rule 7: keys are forgotten after their days, and batches', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const request = one('a', 'any', { idempotencyKey: 'k' })
    await writer.append([request])
    await writer.close()
    for (const name of ['event_key', 'event_batch']) await run(`update ${table(name)} set at = at - interval '6 days 23 hours'`)
    const second = store()
    await second.open()
    expect((await second.append([request])).map(told)).toEqual(['duplicate 1 @1'])
    await second.close()
    expect(await run(`select 1 from ${table('event_batch')}`)).toHaveLength(0)
    await run(`update ${table('event_key')} set at = at - interval '2 hours'`)
    const third = store()
    await third.open()
    await third.append([one('b')])
    await third.close()
    expect(await run(`select 1 from ${table('event_key')}`)).toHaveLength(0)
  })

  test('rule 4: a request that the server refuses is answered alone, however many travel with it', async () => {
    await clear()
    await run(`alter table ${table('event')} add constraint no_poison check (type <> 'poison')`)
    const writer = store()
    await writer.open()
    const requests = Array.from({ length: 21 }, (_, i) =>
      one(`s${i}`, 'any', { events: [event(i, { type: i % 10 === 5 ? 'poison' : 'fine' })] }),
    )
    const words = (await writer.append(requests)).map(({ result }) => result)
    expect(words).toEqual(requests.map((_, i) => (i % 10 === 5 ? 'none' : 'ok')))
    expectSound(await logOf(writer))
    expect(await logOf(writer)).toHaveLength(19)
    await run(`alter table ${table('event')} drop constraint no_poison`)
    await writer.close()
  })

  test('rule 4: what is certainly rolled back and may go through later is tried again', async () => {
    await clear()
    await run(`create sequence "${schema}".tries`)
    await run(`create function "${schema}".stumble() returns trigger language plpgsql as $$ begin
      if nextval('"${schema}".tries') <= 2 then raise exception using errcode = '40001', message = 'stumbled'; end if; return new; end $$`)
    await run(`create trigger stumble before insert on ${table('event_batch')} for each row execute function "${schema}".stumble()`)
    const writer = store()
    await writer.open()
    expect((await writer.append([one('a'), one('b')])).map(told)).toEqual(['ok 1 @1', 'ok 1 @2'])
    await run(`drop trigger stumble on ${table('event_batch')}`)
    await writer.close()
  })

  test('refuses more requests than may wait, and answers what waits when it is closed', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const asked = writer.append(
      Array.from({ length: 10_001 }, () => one('hot')),
      { timeoutMs: 60_000 },
    )
    const closing = writer.close()
    const verdicts = await asked
    await closing
    expect(told(verdicts.at(-1))).toBe('none QUEUE_FULL')
    expect(verdicts.slice(0, -1).every(({ result }) => result === 'ok')).toBe(true)
    expect((await writer.append([one('hot')])).map(told)).toEqual(['none NOT_STARTED'])
  })
})
