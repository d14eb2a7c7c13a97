-- The tables of one hub on one machine. Times are milliseconds since 1970 in UTC.
--
-- No foreign keys: rows are folded from the log, and a record that names somebody unknown must
-- not stop everything behind it. Columns named *_key are in lower case by the rules of Unicode,
-- made by the hub, since SQLite's own LOWER knows ASCII alone.

CREATE TABLE users (
    -- Numbers are never given twice: old messages would change their author.
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT NOT NULL,
    username_key  TEXT NOT NULL UNIQUE,
    display_name  TEXT NOT NULL,
    display_key   TEXT NOT NULL,
    -- PHC string format.
    password_hash TEXT NOT NULL,
    disabled_at   INTEGER,
    created_at    INTEGER NOT NULL,
    -- When the last of the person's sockets closed.
    last_seen     INTEGER
) STRICT;

-- One cookie or token each; only its SHA-256 is stored.
CREATE TABLE logins (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX logins_user ON logins (user_id);

-- Where the numbers of groups come from.
CREATE TABLE room_ids (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE rooms (
    -- '17' for a group, 'd3-17' for the direct room of two users.
    id              TEXT PRIMARY KEY,
    -- A group's id as a number, to list groups in the order they were made.
    group_number    INTEGER,
    kind            TEXT NOT NULL,
    -- NULL for direct rooms: each of the two sees the other's name.
    name            TEXT,
    topic           TEXT NOT NULL,
    -- Name and topic, for searching.
    search_key      TEXT NOT NULL,
    visibility      TEXT NOT NULL,
    -- Of the last record that had an effect here.
    position        INTEGER NOT NULL,
    last_message_id INTEGER,
    member_count    INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    -- A deleted room keeps this row, emptied, so that its id cannot come back to life.
    deleted_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX rooms_listed ON rooms (visibility, group_number);

-- Present members only.
CREATE TABLE members (
    room_id       TEXT NOT NULL,
    user_id       INTEGER NOT NULL,
    role          TEXT NOT NULL,
    joined_at     INTEGER NOT NULL,
    read_position INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id);

CREATE TABLE bans (
    room_id TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    -- Made from the message's place in the log.
    id         INTEGER PRIMARY KEY,
    room_id    TEXT NOT NULL,
    position   INTEGER NOT NULL,
    sender_id  INTEGER NOT NULL,
    body       TEXT NOT NULL,
    sent_at    INTEGER NOT NULL,
    edited_at  INTEGER,
    deleted_at INTEGER,
    client_id  TEXT,
    UNIQUE (room_id, position)
) STRICT;
-- Tells a repeated send from a new one.
CREATE INDEX messages_client ON messages (room_id, sender_id, client_id);
-- Unread messages are counted from this index alone, without a look at the rows.
CREATE INDEX messages_unread ON messages (room_id, position, sender_id, deleted_at);

-- user_id 0 stands for everyone.
CREATE TABLE mentions (
    room_id  TEXT NOT NULL,
    user_id  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id, position)
) STRICT, WITHOUT ROWID;

-- Everything accepted that is no message: for clients that resume, and for the audit.
CREATE TABLE events (
    room_id  TEXT NOT NULL,
    position INTEGER NOT NULL,
    type     TEXT NOT NULL,
    by_user  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    -- The member whom it is about, if it is about one.
    subject  INTEGER,
    -- JSON, as it goes to clients.
    data     TEXT NOT NULL,
    PRIMARY KEY (room_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_subject ON events (room_id, subject, position);

-- How far each partition of the log is in these tables; moved in the transaction of the rows.
CREATE TABLE log_offsets (
    partition_id INTEGER PRIMARY KEY,
    -- How often the log was made anew. The same for all.
    epoch        INTEGER NOT NULL,
    next_offset  INTEGER NOT NULL
) STRICT;
