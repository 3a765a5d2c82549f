"""The atomic steps, as Lua on one hash slot. Redis runs each as a whole or not at all."""

ACCEPT = """
-- Accept a message once: remember the platform's id, put it into the inbox and, for mailbox channels, the mailbox.
-- KEYS: 1 seen, 2 inbox, 3 mail.  ARGV: 1 message id, 2 inbound json, 3 seconds to remember, 4 mail json or '',
-- 5 mailbox length, 6 seconds to keep the mailbox, 7 conversation, 8 live channel.
local known = redis.call('GET', KEYS[1])
if known then return {known, 1} end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
redis.call('XADD', KEYS[2], '*', 'm', ARGV[2])
if ARGV[4] ~= '' then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'm', ARGV[4])
  redis.call('EXPIRE', KEYS[3], ARGV[6])
  redis.call('PUBLISH', ARGV[8], ARGV[7])
end
return {ARGV[1], 0}
"""

APPEND = """
-- The one write path: all of a decision, or none of it.
-- KEYS: 1 conversation, 2 log, 3 events, 4 outbox, 5 inbox, 6 mail, 7 queue, 8 tries.
-- ARGV: 1 append id, 2 conversation, 3 expected version, 4 inbox entry or '',
-- 5 state json or '', 6 assistant json or '', 7 queue score, '-' to leave the queue or '' for no change,
-- 8 mailbox length, 9 seconds to keep the mailbox, 10 live channel, 11 number of events, 12 number of outbox
-- entries, then the events, the outbox entries, the mail.
local conv = redis.call('HMGET', KEYS[1], 'version', 'seq', 'append')
local version = tonumber(conv[1] or '0')
local seq = tonumber(conv[2] or '0')
if conv[3] == ARGV[1] then return {'ok', version, seq} end
if ARGV[4] ~= '' and #redis.call('XRANGE', KEYS[5], ARGV[4], ARGV[4]) == 0 then return {'done', version, seq} end
if tonumber(ARGV[3]) ~= version then return {'conflict', version, seq} end
version = version + 1
local n_events, n_outbox = tonumber(ARGV[11]), tonumber(ARGV[12])
for i = 13, 12 + n_events do
  seq = seq + 1
  redis.call('XADD', KEYS[2], seq .. '-0', 'e', ARGV[i])
  redis.call('XADD', KEYS[3], '*', 'c', ARGV[2], 's', seq, 'e', ARGV[i])
end
for i = 13 + n_events, 12 + n_events + n_outbox do
  redis.call('XADD', KEYS[4], '*', 'm', ARGV[i])
end
for i = 13 + n_events + n_outbox, #ARGV do
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[8], '*', 'm', ARGV[i])
  redis.call('EXPIRE', KEYS[6], ARGV[9])
end
redis.call('HSET', KEYS[1], 'version', version, 'seq', seq, 'append', ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'state', ARGV[5]) end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'assistant', ARGV[6]) end
if ARGV[7] == '-' then redis.call('ZREM', KEYS[7], ARGV[2])
elseif ARGV[7] ~= '' then redis.call('ZADD', KEYS[7], ARGV[7], ARGV[2]) end
if ARGV[4] ~= '' then
  redis.call('XDEL', KEYS[5], ARGV[4])
  redis.call('HDEL', KEYS[8], ARGV[4])
end
redis.call('PUBLISH', ARGV[10], ARGV[2])
return {'ok', version, seq}
"""

SETTLE = """
-- End the sender's work on an outbox entry, once: take it out, bury it if it failed, and log what became of it.
-- KEYS: 1 outbox, 2 sending, 3 dead, 4 conversation, 5 log, 6 events.
-- ARGV: 1 outbox entry, 2 conversation, 3 event json, 4 message id, 5 dead letter json or '', 6 live channel.
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[3], ARGV[4], ARGV[5]) end
local seq = redis.call('HINCRBY', KEYS[4], 'seq', 1)
redis.call('XADD', KEYS[5], seq .. '-0', 'e', ARGV[3])
redis.call('XADD', KEYS[6], '*', 'c', ARGV[2], 's', seq, 'e', ARGV[3])
redis.call('PUBLISH', ARGV[6], ARGV[2])
return 1
"""

REVIVE = """
-- Put a dead letter back into the outbox, once.  KEYS: 1 dead, 2 outbox.  ARGV: 1 message id, 2 outbound json.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', 'm', ARGV[2])
return 1
"""

RENEW = """
-- Take or keep a lease.  KEYS: 1 lease.  ARGV: 1 holder, 2 milliseconds.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

RELEASE = """
-- Give a lease back, if it is held.  KEYS: 1 lease.  ARGV: 1 holder.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
