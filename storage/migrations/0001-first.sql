-- Times are unix milliseconds UTC. JSON columns are canonical JSON. `site` is everywhere, also where only one occurs yet.
CREATE TABLE position (stream TEXT PRIMARY KEY, position TEXT NOT NULL, at INTEGER) STRICT;
CREATE TABLE room_facts (room TEXT PRIMARY KEY, facts TEXT NOT NULL) STRICT;

CREATE TABLE inbox (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, key TEXT NOT NULL, site TEXT NOT NULL, room TEXT, thread TEXT,
  sender TEXT NOT NULL, device TEXT, proof TEXT NOT NULL, body TEXT NOT NULL, sent_at INTEGER NOT NULL,
  taken_at INTEGER NOT NULL, late_ms INTEGER NOT NULL, state TEXT NOT NULL, run INTEGER,
  UNIQUE (source, key)
) STRICT;
CREATE INDEX inbox_open ON inbox (id) WHERE state = 'new';
CREATE INDEX inbox_sealed ON inbox (id) WHERE state = 'sealed';

CREATE TABLE runs (
  id INTEGER PRIMARY KEY, rev INTEGER NOT NULL, site TEXT NOT NULL, key TEXT NOT NULL, actor TEXT NOT NULL,
  proof TEXT NOT NULL, command TEXT NOT NULL, args TEXT NOT NULL, shape TEXT NOT NULL, plan TEXT NOT NULL,
  plan_hash TEXT NOT NULL, touches TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, "where" TEXT, undo_of INTEGER, break_glass TEXT,
  message INTEGER, made_at INTEGER NOT NULL, deadline_at INTEGER, begun_at INTEGER, ended_at INTEGER, build TEXT NOT NULL
) STRICT;
CREATE INDEX runs_open ON runs (state) WHERE state IN ('taken', 'asking', 'waiting', 'running', 'stopping');
CREATE INDEX runs_key ON runs (key);
CREATE INDEX runs_undo_of ON runs (undo_of) WHERE undo_of IS NOT NULL;
CREATE INDEX runs_begun ON runs (begun_at) WHERE begun_at IS NOT NULL;

CREATE TABLE steps (
  run INTEGER NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL, cursor INTEGER NOT NULL,
  total INTEGER, kept TEXT, error TEXT, begun_at INTEGER NOT NULL, ended_at INTEGER,
  PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE locks (target TEXT PRIMARY KEY, run INTEGER NOT NULL) STRICT;

CREATE TABLE prompts (
  id INTEGER PRIMARY KEY, rev INTEGER NOT NULL, run INTEGER NOT NULL, code TEXT NOT NULL, plan_hash TEXT NOT NULL,
  need TEXT NOT NULL, role TEXT NOT NULL, message INTEGER NOT NULL, asked INTEGER NOT NULL, remind_at INTEGER,
  expires_at INTEGER NOT NULL, at_end TEXT NOT NULL, answered_by TEXT, state TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX prompts_code ON prompts (code) WHERE state = 'open';
CREATE INDEX prompts_run ON prompts (run);
CREATE INDEX prompts_open ON prompts (id) WHERE state = 'open';
CREATE INDEX prompts_message ON prompts (message);
CREATE TABLE votes (
  prompt INTEGER NOT NULL, actor TEXT NOT NULL, verdict TEXT NOT NULL, proof TEXT NOT NULL, inbox TEXT,
  at INTEGER NOT NULL, UNIQUE (prompt, actor)
) STRICT;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY, site TEXT NOT NULL, about TEXT NOT NULL, lane TEXT NOT NULL, collapse TEXT, room TEXT NOT NULL,
  thread TEXT, in_reply_to TEXT, replaces INTEGER, content TEXT NOT NULL, due_at INTEGER NOT NULL, txn TEXT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL, first_try_at INTEGER, fallback_at INTEGER,
  event_id TEXT, error TEXT
) STRICT;
CREATE INDEX outbox_pending ON outbox (lane, id) WHERE state = 'pending';
CREATE INDEX outbox_missed ON outbox (id) WHERE state = 'missed';
CREATE INDEX outbox_about ON outbox (about);
CREATE INDEX outbox_event ON outbox (event_id) WHERE event_id IS NOT NULL;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, site TEXT NOT NULL, run INTEGER, incident INTEGER,
  act TEXT NOT NULL, outcome TEXT NOT NULL, detail_hash TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
-- Apart, so that an erasure request can delete the detail while the chain still verifies.
CREATE TABLE audit_detail (seq INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
-- Signed heads of the chain; `outbox` says them in the room.
CREATE TABLE audit_heads (
  seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, at INTEGER NOT NULL, note TEXT NOT NULL, outbox INTEGER
) STRICT;

CREATE TABLE incidents (
  id INTEGER PRIMARY KEY, rev INTEGER NOT NULL, site TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL,
  "group" TEXT NOT NULL, severity TEXT NOT NULL, state TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,
  labels TEXT NOT NULL, level INTEGER NOT NULL, next_at INTEGER, acked_by TEXT, acked_until INTEGER,
  silenced_until INTEGER, opened_at INTEGER NOT NULL, closed_at INTEGER, seen_at INTEGER NOT NULL,
  reopened INTEGER NOT NULL, message INTEGER, unsaid INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX incidents_key ON incidents (site, key) WHERE state <> 'closed';
CREATE INDEX incidents_open ON incidents (id) WHERE state <> 'closed';
CREATE INDEX incidents_by_key ON incidents (site, key, id);
CREATE INDEX incidents_group ON incidents ("group") WHERE state <> 'closed';
CREATE INDEX incidents_unsaid ON incidents (id) WHERE unsaid = 1;
CREATE INDEX incidents_message ON incidents (message);
CREATE TABLE incident_log (incident INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT, what TEXT NOT NULL) STRICT;
CREATE INDEX incident_log_of ON incident_log (incident, at);
CREATE TABLE pages (
  incident INTEGER NOT NULL, level INTEGER NOT NULL, "user" TEXT NOT NULL, way TEXT NOT NULL, outbox INTEGER NOT NULL,
  at INTEGER NOT NULL, outcome TEXT
) STRICT;
CREATE INDEX pages_of ON pages (incident, at);

CREATE TABLE holds (
  site TEXT NOT NULL, "user" TEXT NOT NULL, kind TEXT NOT NULL, identities TEXT NOT NULL, until INTEGER NOT NULL, run INTEGER NOT NULL,
  ended_at INTEGER, PRIMARY KEY (site, "user", kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_live ON holds (until) WHERE ended_at IS NULL;
CREATE TABLE taken_away (
  site TEXT NOT NULL, "user" TEXT NOT NULL, run INTEGER NOT NULL, at INTEGER NOT NULL, snapshot TEXT NOT NULL,
  returned_at INTEGER, PRIMARY KEY (site, "user", run)
) STRICT, WITHOUT ROWID;
CREATE TABLE slots (
  job TEXT NOT NULL, due_at INTEGER NOT NULL, state TEXT NOT NULL, run INTEGER, PRIMARY KEY (job, due_at)
) STRICT, WITHOUT ROWID;
CREATE TABLE switches (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE operators (
  "user" TEXT NOT NULL, role TEXT NOT NULL, added_by TEXT NOT NULL, added_at INTEGER NOT NULL, confirmed_by TEXT,
  gone_at INTEGER
) STRICT;
CREATE UNIQUE INDEX operators_now ON operators ("user") WHERE gone_at IS NULL;

CREATE TABLE readings (
  site TEXT NOT NULL, series TEXT NOT NULL, at INTEGER NOT NULL, value REAL, note TEXT,
  PRIMARY KEY (site, series, at)
) STRICT, WITHOUT ROWID;
