"""The atomic steps, as Lua on one hash slot. Redis runs each as a whole or not at all."""

ACCEPT = """
-- Accept a message once: remember the platform's id, put it into the inbox and, for mailbox channels, the mailbox.
-- A customer who says something is not silent: what was due for that is off, before the message has its turn.
-- KEYS: 1 seen, 2 inbox, 3 mail, 4 due.  ARGV: 1 message id, 2 inbound json, 3 seconds to remember, 4 mail json or '',
-- 5 mailbox length, 6 seconds to keep the mailbox, 7 conversation, 8 live channel, 9 'said', or '' for an edit.
local known = redis.call('GET', KEYS[1])
if known then return {known, 1} end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
redis.call('XADD', KEYS[2], '*', 'm', ARGV[2])
if ARGV[9] ~= '' then redis.call('ZREM', KEYS[4], ARGV[7]) end
if ARGV[4] ~= '' then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'm', ARGV[4])
  redis.call('EXPIRE', KEYS[3], ARGV[6])
  redis.call('PUBLISH', ARGV[8], ARGV[7])
end
return {ARGV[1], 0}
"""

APPEND = """
-- The one write path: all of a decision, or none of it.
-- KEYS: 1 conversation, 2 log, 3 events, 4 outbox, 5 inbox, 6 mail, 7 queue, 8 tries, 9 due.
-- ARGV: 1 append id, 2 conversation, 3 expected version, 4 inbox entry or '',
-- 5 state json or '', 6 assistant json or '', 7 queue score, '-' to leave the queue or '' for no change,
-- 8 mailbox length, 9 seconds to keep the mailbox, 10 live channel, 11 when the handoff is due, '-' if none is any
-- more or '' for no change, 12 'due' if the decision holds only while one is, 13 number of events, 14 number of
-- outbox entries, then the events, the outbox entries, the mail.
local conv = redis.call('HMGET', KEYS[1], 'version', 'seq', 'append')
local version = tonumber(conv[1] or '0')
local seq = tonumber(conv[2] or '0')
if conv[3] == ARGV[1] then return {'ok', version, seq} end
if ARGV[4] ~= '' and #redis.call('XRANGE', KEYS[5], ARGV[4], ARGV[4]) == 0 then return {'done', version, seq} end
if tonumber(ARGV[3]) ~= version then return {'conflict', version, seq} end
if ARGV[12] ~= '' and not redis.call('ZSCORE', KEYS[9], ARGV[2]) then return {'conflict', version, seq} end
version = version + 1
local n_events, n_outbox = tonumber(ARGV[13]), tonumber(ARGV[14])
for i = 15, 14 + n_events do
  seq = seq + 1
  redis.call('XADD', KEYS[2], seq .. '-0', 'e', ARGV[i])
  redis.call('XADD', KEYS[3], '*', 'c', ARGV[2], 's', seq, 'e', ARGV[i])
end
for i = 15 + n_events, 14 + n_events + n_outbox do
  redis.call('XADD', KEYS[4], '*', 'm', ARGV[i])
end
for i = 15 + n_events + n_outbox, #ARGV do
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[8], '*', 'm', ARGV[i])
  redis.call('EXPIRE', KEYS[6], ARGV[9])
end
redis.call('HSET', KEYS[1], 'version', version, 'seq', seq, 'append', ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'state', ARGV[5]) end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'assistant', ARGV[6]) end
if ARGV[7] == '-' then redis.call('ZREM', KEYS[7], ARGV[2])
elseif ARGV[7] ~= '' then redis.call('ZADD', KEYS[7], ARGV[7], ARGV[2]) end
if ARGV[11] == '-' then redis.call('ZREM', KEYS[9], ARGV[2])
elseif ARGV[11] ~= '' then redis.call('ZADD', KEYS[9], ARGV[11], ARGV[2]) end
if ARGV[4] ~= '' then
  redis.call('XDEL', KEYS[5], ARGV[4])
  redis.call('HDEL', KEYS[8], ARGV[4])
end
redis.call('PUBLISH', ARGV[10], ARGV[2])
return {'ok', version, seq}
"""

_RECORD = """
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('XADD', KEYS[2], seq .. '-0', 'e', ARGV[2])
redis.call('XADD', KEYS[3], '*', 'c', ARGV[1], 's', seq, 'e', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[1])
return 1
"""

REJECT = """
-- Lay an entry that can't be read aside.  KEYS: 1 stream, 2 rejected.  ARGV: 1 entry.
local rows = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #rows == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', 'stream', KEYS[1], 'entry', ARGV[1], unpack(rows[1][2]))
return redis.call('XDEL', KEYS[1], ARGV[1])
"""

BEGIN = """
-- May a call to the platform be made now? If so, note that it began, and count the one before if its end is unknown.
-- Asked again for the same call, because the answer was lost, it counts nothing.
-- KEYS: 1 outbox, 2 sending, 3 conversation, 4 lease.
-- ARGV: 1 outbox entry, 2 lease holder, 3 id of the call, 4 the owner version a bot's message was said under, or ''.
local stored = redis.call('HGET', KEYS[2], ARGV[1]) or '{}'
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return {'gone', stored} end
if redis.call('GET', KEYS[4]) ~= ARGV[2] then return {'not_mine', stored} end
if ARGV[4] ~= '' then
  local state = cjson.decode(redis.call('HGET', KEYS[3], 'state') or '{}')
  if (state.owner_version or 0) > tonumber(ARGV[4]) then return {'taken_over', stored} end
end
local progress = cjson.decode(stored)
if progress.call and progress.call ~= ARGV[3] then progress.repeated = (progress.repeated or 0) + 1 end
progress.call = ARGV[3]
stored = cjson.encode(progress)
redis.call('HSET', KEYS[2], ARGV[1], stored)
return {'go', stored}
"""

NOTE = """
-- Note how far an outbox entry is, while it is there and no other sender began since, which counted our call.
-- KEYS: 1 outbox, 2 sending.  ARGV: 1 outbox entry, 2 progress json, 3 repetitions counted when our call began.
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
local stored = cjson.decode(redis.call('HGET', KEYS[2], ARGV[1]) or '{}')
if (stored.repeated or 0) > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
"""

SETTLE = (
    """
-- End the sender's work on an outbox entry, once: take it out, bury it if it failed, and log what became of it.
-- As in NOTE, not if another sender began since.
-- KEYS: 1 conversation, 2 log, 3 events, 4 outbox, 5 sending, 6 dead.
-- ARGV: 1 conversation, 2 event json, 3 live channel, 4 outbox entry, 5 message id, 6 dead letter json or '',
-- 7 repetitions counted when our call began.
local stored = cjson.decode(redis.call('HGET', KEYS[5], ARGV[4]) or '{}')
if (stored.repeated or 0) > tonumber(ARGV[7]) then return 0 end
if redis.call('XDEL', KEYS[4], ARGV[4]) == 0 then return 0 end
redis.call('HDEL', KEYS[5], ARGV[4])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[6], ARGV[5], ARGV[6]) end
"""
    + _RECORD
)

DISCARD = (
    """
-- Give a dead letter up, once, and log it.  KEYS: 1 conversation, 2 log, 3 events, 4 dead.
-- ARGV: 1 conversation, 2 event json, 3 live channel, 4 message id.
if redis.call('HDEL', KEYS[4], ARGV[4]) == 0 then return 0 end
"""
    + _RECORD
)

REVIVE = """
-- Put a dead letter back into the outbox, once, as far as it had come.
-- KEYS: 1 dead, 2 outbox, 3 sending.  ARGV: 1 message id, 2 outbound json, 3 progress json.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
local entry = redis.call('XADD', KEYS[2], '*', 'm', ARGV[2])
redis.call('HSET', KEYS[3], entry, ARGV[3])
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
