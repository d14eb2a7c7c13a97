BEGIN TRANSACTION;
CREATE TABLE bans (
    room_id TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
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
INSERT INTO "events" VALUES('1',1,'room_created',1,1795278555409,NULL,'{"type":"room_created","info":{"id":"1","kind":"group","name":"Tidal pond","topic":"","visibility":"private","member_count":2},"members":[{"id":"1","username":"heron","display_name":"Grey Heron","role":"admin","joined_at":"2026-11-21T16:29:15.409Z"},{"id":"2","username":"wren","display_name":"wren","role":"member","joined_at":"2026-11-21T16:29:15.409Z"}],"by":"1"}');
INSERT INTO "events" VALUES('1',7,'room_updated',1,1795278555666,NULL,'{"type":"room_updated","info":{"id":"1","kind":"group","name":"Tidal pond","topic":"When to fish","visibility":"private","member_count":2},"by":"1"}');
INSERT INTO "events" VALUES('d1-2',2,'room_created',1,1795278555441,NULL,'{"type":"room_created","info":{"id":"d1-2","kind":"direct","name":null,"topic":"","visibility":"private","member_count":2,"members":[{"user_id":"1","username":"heron","display_name":"Grey Heron"},{"user_id":"2","username":"wren","display_name":"wren"}]},"members":[{"id":"1","username":"heron","display_name":"Grey Heron","role":"member","joined_at":"2026-11-21T16:29:15.441Z"},{"id":"2","username":"wren","display_name":"wren","role":"member","joined_at":"2026-11-21T16:29:15.441Z"}],"by":"1"}');
CREATE TABLE log_offsets (
    partition_id INTEGER PRIMARY KEY,
    -- How often the log was made anew. The same for all.
    epoch        INTEGER NOT NULL,
    next_offset  INTEGER NOT NULL
) STRICT;
INSERT INTO "log_offsets" VALUES(0,0,7);
CREATE TABLE logins (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "logins" VALUES(1,1,X'07C98045CCA4886A700EE57E16521493EE0EF13470B35F0B4B401578BB5647C7',1795278555097);
INSERT INTO "logins" VALUES(2,2,X'0E78787A38CFD9D0B406B29249E9D071983D6EFC89D90164821F43F5F1244CAD',1795278555380);
CREATE TABLE members (
    room_id       TEXT NOT NULL,
    user_id       INTEGER NOT NULL,
    role          TEXT NOT NULL,
    joined_at     INTEGER NOT NULL,
    read_position INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "members" VALUES('1',1,'admin',1795278555409,5);
INSERT INTO "members" VALUES('1',2,'member',1795278555409,6);
INSERT INTO "members" VALUES('d1-2',1,'member',1795278555441,2);
INSERT INTO "members" VALUES('d1-2',2,'member',1795278555441,2);
CREATE TABLE mentions (
    room_id  TEXT NOT NULL,
    user_id  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "mentions" VALUES('1',2,3);
INSERT INTO "mentions" VALUES('1',2,4);
INSERT INTO "mentions" VALUES('1',2,5);
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
INSERT INTO "messages" VALUES(2048,'1',3,1,'Low tide at 1, @wren',1795278555466,NULL,NULL,'c1');
INSERT INTO "messages" VALUES(3072,'1',4,1,'Low tide at 2, @wren',1795278555478,NULL,NULL,'c2');
INSERT INTO "messages" VALUES(4096,'1',5,1,'Low tide at 3, @wren',1795278555574,NULL,NULL,'c3');
INSERT INTO "messages" VALUES(5120,'1',6,2,'今日は',1795278555635,NULL,NULL,NULL);
CREATE TABLE refinery_schema_history(
             version int4 PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255));
INSERT INTO "refinery_schema_history" VALUES(1,'tables','2026-11-21T16:29:12.462842211Z','12044866227422367481');
CREATE TABLE room_ids (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    made_at INTEGER NOT NULL
) STRICT;
INSERT INTO "room_ids" VALUES(1,1795278555406);
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
INSERT INTO "rooms" VALUES('1',1,'group','Tidal pond','When to fish','tidal pond
when to fish','private',7,5120,2,1795278555409,NULL);
INSERT INTO "rooms" VALUES('d1-2',NULL,'direct',NULL,'','
','private',2,NULL,2,1795278555441,NULL);
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
INSERT INTO "users" VALUES(1,'heron','heron','Grey Heron','grey heron','$argon2id$v=19$m=19456,t=2,p=1$fqh4RhaqHBUFHVG68Z94Mw$7Uow+9Q087sYyg3oa6EjnaxoDzJ1rVUE4JCeTE/e/cc',NULL,1795278555092,NULL);
INSERT INTO "users" VALUES(2,'wren','wren','wren','wren','$argon2id$v=19$m=19456,t=2,p=1$2rXu9fAm12Z/keWmNFaIHw$GX92YayPmekTzLdycuylcD8eW5TxSCfEHgihiJtnWKM',NULL,1795278555323,NULL);
CREATE INDEX logins_user ON logins (user_id);
CREATE INDEX rooms_listed ON rooms (visibility, group_number);
CREATE INDEX members_user ON members (user_id);
CREATE INDEX messages_client ON messages (room_id, sender_id, client_id);
CREATE INDEX messages_unread ON messages (room_id, position, sender_id, deleted_at);
CREATE INDEX events_subject ON events (room_id, subject, position);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('users',2);
INSERT INTO "sqlite_sequence" VALUES('logins',2);
INSERT INTO "sqlite_sequence" VALUES('room_ids',1);
COMMIT;
