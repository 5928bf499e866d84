import { createHash } from 'node:crypto'

export interface Script {
  readonly text: string
  readonly sha: string
}

/** What a script says of something under the prefix that no script has written. */
export const CORRUPT = 'HOLDFAST_CORRUPT'

/** How long changed keys are remembered for those who watch. */
export const LOG_US = 60_000_000

/**
 * KEYS[1] is the row of numbers, `{prefix}:n`; the other names are made of it, so that a prefix that the client itself adds holds for all,
 * and all are in its slot.
 *
 * | name | what |
 * |---|---|
 * | `n` | the latest number: revisions and tokens |
 * | `v:<key>`, `l:<name>` | hash: `v` value, `r` revision · `o` owner, `t` token; its time is that of the Redis key |
 * | `vi`, `li` | sorted set: all keys, names, in the order of their bytes |
 * | `vx`, `lx` | sorted set: those that have an end, by epoch milliseconds |
 * | `ch` | sorted set: keys changed in the last minute, by the number of their latest change |
 * | `c` | channel: something has changed |
 */
const PRELUDE = `
local base = string.sub(KEYS[1], 1, -2)
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local ms = math.floor(us / 1000)
local function text(number) return string.format('%.0f', number) end
-- What somebody else has changed is not made use of, and nothing is written over it.
local function corrupt(what) error('${CORRUPT} ' .. base .. what) end
local function whole(digits) return string.find(digits, '^%d+$') and #digits <= 16 and tonumber(digits) < 9007199254740991 end
local function latest()
  local last = redis.call('GET', KEYS[1]) or '0'
  if not whole(last) then corrupt('n') end
  return tonumber(last)
end
-- At least the time in microseconds: where the row was lost, or a replica that has not seen its end took over, it goes on above it.
local function number()
  local last = latest()
  local n = us
  if n <= last then n = last + 1 end
  redis.call('SET', KEYS[1], text(n))
  return n
end
local function changed(key, n)
  redis.call('ZADD', base .. 'ch', text(n), key)
  redis.call('ZREMRANGEBYSCORE', base .. 'ch', '-inf', text(n - ${LOG_US}))
  redis.call('PUBLISH', base .. 'c', '')
end
local function lasts(kind, key, ttl, before)
  if ttl ~= '' then
    redis.call('PEXPIRE', base .. kind .. ':' .. key, ttl)
    redis.call('ZADD', base .. kind .. 'x', text(ms + ttl), key)
  elseif before then
    redis.call('PERSIST', base .. kind .. ':' .. key)
    redis.call('ZREM', base .. kind .. 'x', key)
  end
  if not before then redis.call('ZADD', base .. kind .. 'i', 0, key) end
end
local function forget(kind, key)
  redis.call('ZREM', base .. kind .. 'i', key)
  redis.call('ZREM', base .. kind .. 'x', key)
end
-- What Redis has let go leaves the sets a few at a time.
local function sweep(kind, most)
  local swept = 0
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', base .. kind .. 'x', '-inf', text(ms), 'LIMIT', 0, most)) do
    if redis.call('EXISTS', base .. kind .. ':' .. key) == 0 then
      forget(kind, key)
      if kind == 'v' then changed(key, number()) end
      swept = swept + 1
    end
  end
  return swept
end
local function row(kind, key, one, two)
  local found = redis.call('HMGET', base .. kind .. ':' .. key, one, two)
  if (not found[1]) ~= (not found[2]) or (found[2] and not whole(found[2])) then corrupt(kind .. ':' .. key) end
  return found
end
-- Of a key, without its value, which may be large.
local function revision(key)
  local at = base .. 'v:' .. key
  local found = redis.call('HGET', at, 'r')
  if (not found) ~= (redis.call('HEXISTS', at, 'v') == 0) or (found and not whole(found)) then corrupt('v:' .. key) end
  return found
end
local function stored(kind, key, one, two)
  local found = row(kind, key, one, two)
  if not found[1] then return false end
  return {key, found[1], found[2], text(redis.call('PTTL', base .. kind .. ':' .. key))}
end
-- Asked before anything is written, since a script that fails half-way is not rolled back.
local function sound(kind)
  redis.call('ZCARD', base .. kind .. 'i')
  redis.call('ZCARD', base .. kind .. 'x')
  if kind == 'v' then redis.call('ZCARD', base .. 'ch') end
end
`

function script(body: string): Script {
  const text = `${PRELUDE}${body}`
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** → its time in microseconds, the latest number, the channel. */
export const hello = /* @__PURE__ */ script(`return {text(us), text(latest()), base .. 'c'}`)

/** ARGV: key, … → per key what is stored, or nil. */
export const get = /* @__PURE__ */ script(`
local all = {}
for i, key in ipairs(ARGV) do all[i] = stored('v', key, 'v', 'r') end
return all`)

/** ARGV: key, value, expected (empty: any), ttl (empty: none) → '1', revision · '0', what is stored. */
export const put = /* @__PURE__ */ script(`
local key, value, expect, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local at = base .. 'v:' .. key
local before = revision(key)
sound('v')
if expect ~= '' and expect ~= (before or 'none') then return {'0', stored('v', key, 'v', 'r')} end
local n = number()
redis.call('HSET', at, 'v', value, 'r', text(n))
lasts('v', key, ttl, before)
changed(key, n)
sweep('v', 10)
return {'1', text(n)}`)

/** ARGV: key, by, ttl → '1', the sum, what is left of the time · 'number', 'sum': why not. */
export const increment = /* @__PURE__ */ script(`
local key, ttl = ARGV[1], ARGV[3]
local at = base .. 'v:' .. key
local before = row('v', key, 'v', 'r')[1]
sound('v')
local sum = 0
if before then
  if #before > 17 or (before ~= '0' and not string.find(before, '^%-?[1-9]%d*$')) then return {'number'} end
  sum = tonumber(before)
  if sum > 9007199254740991 or sum < -9007199254740991 then return {'number'} end
end
sum = sum + tonumber(ARGV[2])
if sum > 9007199254740991 or sum < -9007199254740991 then return {'sum'} end
local n = number()
redis.call('HSET', at, 'v', text(sum), 'r', text(n))
if not before then lasts('v', key, ttl, false) end
changed(key, n)
sweep('v', 10)
return {'1', text(sum), text(redis.call('PTTL', at))}`)

/** ARGV: key, revision (empty: any) → '1' deleted · '0'. */
export const remove = /* @__PURE__ */ script(`
local key, expect = ARGV[1], ARGV[2]
local before = revision(key)
sound('v')
if not before or (expect ~= '' and expect ~= before) then return '0' end
local n = number()
redis.call('DEL', base .. 'v:' .. key)
forget('v', key)
changed(key, n)
return '1'`)

/** ARGV: kind, both fields, least (as ZRANGEBYLEX wants it), prefix, limit → what is stored, the key to go on after (empty: that is all). */
export const list = /* @__PURE__ */ script(String.raw`
local kind, limit = ARGV[1], tonumber(ARGV[6])
local most = '+'
if ARGV[5] ~= '' then most = '(' .. ARGV[5] .. '\255' end
sweep(kind, 100)
local page = redis.call('ZRANGEBYLEX', base .. kind .. 'i', ARGV[4], most, 'LIMIT', 0, limit + 100)
local found = {}
for i, key in ipairs(page) do
  local one = stored(kind, key, ARGV[2], ARGV[3])
  if one then found[#found + 1] = one end
  if #found == limit then return {found, ''} end
end
if #page < limit + 100 then return {found, ''} end
return {found, page[#page]}`)

/** ARGV: number, limit → its time, the latest number, whether there is more, changed keys and their numbers in turn. */
export const changesAfter = /* @__PURE__ */ script(`
local swept = sweep('v', 100)
local changes = redis.call('ZRANGEBYSCORE', base .. 'ch', '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local more = swept == 100 or #changes == ARGV[2] * 2
return {text(us), text(latest()), more and '1' or '0', changes}`)

/** ARGV: name, owner, ttl → token · nil: somebody else holds it. */
export const acquire = /* @__PURE__ */ script(`
local name, owner, ttl = ARGV[1], ARGV[2], ARGV[3]
local at = base .. 'l:' .. name
local held = row('l', name, 'o', 't')
sound('l')
if held[1] and held[1] ~= owner then return false end
local token = held[2] or text(number())
if not held[1] then redis.call('HSET', at, 'o', owner, 't', token) end
lasts('l', name, ttl, held[1])
sweep('l', 10)
return token`)

/** ARGV: name, owner, token, ttl → '1' · nil: it is lost. */
export const renew = /* @__PURE__ */ script(`
local held = row('l', ARGV[1], 'o', 't')
sound('l')
if held[1] ~= ARGV[2] or held[2] ~= ARGV[3] then return false end
lasts('l', ARGV[1], ARGV[4], true)
return '1'`)

/** ARGV: name, owner, token → '1' · '0': it was not held. */
export const release = /* @__PURE__ */ script(`
local held = row('l', ARGV[1], 'o', 't')
sound('l')
if held[1] ~= ARGV[2] or held[2] ~= ARGV[3] then return '0' end
redis.call('DEL', base .. 'l:' .. ARGV[1])
forget('l', ARGV[1])
return '1'`)

/** ARGV: name → what is stored, or nil. */
export const holder = /* @__PURE__ */ script(`return stored('l', ARGV[1], 'o', 't')`)
