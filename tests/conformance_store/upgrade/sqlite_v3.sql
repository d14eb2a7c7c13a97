BEGIN TRANSACTION;
CREATE TABLE bans (
    room_id TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "bans" VALUES('1',3);
CREATE TABLE events (
    room_id  TEXT NOT NULL,
    position INTEGER NOT NULL,
    type     TEXT NOT NULL,
    by_user  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    -- The member whom it is about, if it is about one.
    subject  INTEGER,
    -- JSON, as it goes to clients.
    data     TEXT NOT NULL, message_id INTEGER,
    PRIMARY KEY (room_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "events" VALUES('1',1,'room_created',1,1795286574290,NULL,'{"type":"room_created","info":{"id":"1","kind":"group","name":"Tidal pond","topic":"","visibility":"public","member_count":2},"members":[{"id":"1","username":"heron","display_name":"Grey Heron","role":"admin","joined_at":"2026-11-21T18:42:54.290Z"},{"id":"2","username":"wren","display_name":"wren","role":"member","joined_at":"2026-11-21T18:42:54.290Z"}],"by":"1"}',NULL);
INSERT INTO "events" VALUES('1',2,'member_added',3,1795286574306,3,'{"type":"member_added","member":{"id":"3","username":"coot","display_name":"coot","role":"member","joined_at":"2026-11-21T18:42:54.306Z"},"by":"3"}',NULL);
INSERT INTO "events" VALUES('1',10,'edited',1,1795286574349,NULL,'{}',4096);
INSERT INTO "events" VALUES('1',11,'deleted',1,1795286574367,3,'{}',7168);
INSERT INTO "events" VALUES('1',12,'reaction',2,1795286574371,NULL,'{"type":"reaction","message":"3072","emoji":"👍","user":"2","on":true,"count":1}',3072);
INSERT INTO "events" VALUES('1',13,'reaction',3,1795286574374,NULL,'{"type":"reaction","message":"3072","emoji":"👍","user":"3","on":true,"count":2}',3072);
INSERT INTO "events" VALUES('1',14,'room_updated',1,1795286574383,NULL,'{"type":"room_updated","info":{"id":"1","kind":"group","name":"Tidal pond","topic":"When to fish","visibility":"public","member_count":3},"by":"1"}',NULL);
INSERT INTO "events" VALUES('1',15,'member_updated',1,1795286574392,2,'{"type":"member_updated","member":{"id":"2","username":"wren","display_name":"wren","role":"admin","joined_at":"2026-11-21T18:42:54.290Z"},"by":"1"}',NULL);
INSERT INTO "events" VALUES('1',16,'member_removed',1,1795286574398,3,'{"type":"member_removed","member":{"id":"3","username":"coot","display_name":"coot","role":"member","joined_at":"2026-11-21T18:42:54.306Z"},"ban":true,"by":"1"}',NULL);
INSERT INTO "events" VALUES('d1-2',3,'room_created',1,1795286574321,NULL,'{"type":"room_created","info":{"id":"d1-2","kind":"direct","name":null,"topic":"","visibility":"private","member_count":2,"members":[{"user_id":"1","username":"heron","display_name":"Grey Heron"},{"user_id":"2","username":"wren","display_name":"wren"}]},"members":[{"id":"1","username":"heron","display_name":"Grey Heron","role":"member","joined_at":"2026-11-21T18:42:54.321Z"},{"id":"2","username":"wren","display_name":"wren","role":"member","joined_at":"2026-11-21T18:42:54.321Z"}],"by":"1"}',NULL);
CREATE TABLE log_offsets (
    partition_id INTEGER PRIMARY KEY,
    -- How often the log was made anew. The same for all.
    epoch        INTEGER NOT NULL,
    next_offset  INTEGER NOT NULL
) STRICT;
INSERT INTO "log_offsets" VALUES(0,0,16);
CREATE TABLE logins (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "logins" VALUES(1,1,X'18CB7C20D8A0D4C96DDC4ED9D236BE27C993E87D137E59CDD322673D659D3C60',1795286574177);
INSERT INTO "logins" VALUES(2,2,X'44310A541D7F6C71F5ABF2B3D8CD2C4569FCFD62F9C3A9043B4390E3CBBF92CC',1795286574228);
INSERT INTO "logins" VALUES(3,3,X'74856078E91A040C7E0EAD1339C9D71F7E6C2DC72557F9A4556A2E3CFF27819A',1795286574287);
CREATE TABLE members (
    room_id       TEXT NOT NULL,
    user_id       INTEGER NOT NULL,
    role          TEXT NOT NULL,
    joined_at     INTEGER NOT NULL,
    read_position INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "members" VALUES('1',1,'admin',1795286574290,7);
INSERT INTO "members" VALUES('1',2,'admin',1795286574290,9);
INSERT INTO "members" VALUES('d1-2',1,'member',1795286574321,3);
INSERT INTO "members" VALUES('d1-2',2,'member',1795286574321,3);
CREATE TABLE mentions (
    room_id  TEXT NOT NULL,
    user_id  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "mentions" VALUES('1',2,4);
INSERT INTO "mentions" VALUES('1',2,5);
INSERT INTO "mentions" VALUES('1',1,9);
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
    client_id  TEXT, reply_to INTEGER, reactions TEXT, changed_position INTEGER,
    UNIQUE (room_id, position)
) STRICT;
INSERT INTO "messages" VALUES(3072,'1',4,1,'Low tide at 1, @wren',1795286574334,NULL,NULL,'c1',NULL,'[{"emoji":"👍","users":["2","3"]}]',13);
INSERT INTO "messages" VALUES(4096,'1',5,1,'Low tide at half past 2, @wren',1795286574337,1795286574349,NULL,NULL,NULL,NULL,10);
INSERT INTO "messages" VALUES(5120,'1',6,2,'Which one?',1795286574341,NULL,NULL,NULL,3072,NULL,NULL);
INSERT INTO "messages" VALUES(6144,'1',7,1,'今日は **early**',1795286574343,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "messages" VALUES(7168,'1',8,3,'',1795286574345,NULL,1795286574367,NULL,NULL,NULL,11);
INSERT INTO "messages" VALUES(8192,'1',9,2,'not read by heron, @heron',1795286574347,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE refinery_schema_history(
             version int4 PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255));
INSERT INTO "refinery_schema_history" VALUES(1,'tables','2026-11-21T18:42:52.136605974Z','12044866227422367481');
INSERT INTO "refinery_schema_history" VALUES(2,'changes_of_messages','2026-11-21T18:42:52.136625073Z','11754754539940171913');
INSERT INTO "refinery_schema_history" VALUES(3,'words','2026-11-21T18:42:52.136626184Z','18009344283845564593');
CREATE TABLE room_ids (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    made_at INTEGER NOT NULL
) STRICT;
INSERT INTO "room_ids" VALUES(1,1795286574289);
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
when to fish','public',16,8192,2,1795286574290,NULL);
INSERT INTO "rooms" VALUES('d1-2',NULL,'direct',NULL,'','
','private',3,NULL,2,1795286574321,NULL);
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
INSERT INTO "users" VALUES(1,'heron','heron','Grey Heron','grey heron','$argon2id$v=19$m=19456,t=2,p=1$ScEo8jC0idqknVEoZXQ3iQ$/b5Yc71OxjCPN7Sftkx7SwvEBBMZ8tyEtLuinhuUDrk',NULL,1795286574170,NULL);
INSERT INTO "users" VALUES(2,'wren','wren','wren','wren','$argon2id$v=19$m=19456,t=2,p=1$EyuXztt4eAUEK4Qe0Yjvfg$2Z43weLTDgGOHp8Qldgtz3ySF2h3nRXQh/zvghNvmKU',NULL,1795286574218,NULL);
INSERT INTO "users" VALUES(3,'coot','coot','coot','coot','$argon2id$v=19$m=19456,t=2,p=1$pYVjaEV+Lmt+h9nZ8bIFQw$a43m2h1/pXkFxl1YMGXE1Q1NIGSAkzNkSCpyHzDBGgg',NULL,1795286574286,NULL);
CREATE TABLE words (
    room_id  TEXT NOT NULL,
    word     TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, word, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "words" VALUES('1','1',4);
INSERT INTO "words" VALUES('1','2',5);
INSERT INTO "words" VALUES('1','and',5);
INSERT INTO "words" VALUES('1','at',4);
INSERT INTO "words" VALUES('1','at',5);
INSERT INTO "words" VALUES('1','be',8);
INSERT INTO "words" VALUES('1','by',9);
INSERT INTO "words" VALUES('1','coot',5);
INSERT INTO "words" VALUES('1','deleted',8);
INSERT INTO "words" VALUES('1','early',7);
INSERT INTO "words" VALUES('1','half',5);
INSERT INTO "words" VALUES('1','heron',9);
INSERT INTO "words" VALUES('1','low',4);
INSERT INTO "words" VALUES('1','low',5);
INSERT INTO "words" VALUES('1','not',9);
INSERT INTO "words" VALUES('1','one',6);
INSERT INTO "words" VALUES('1','past',5);
INSERT INTO "words" VALUES('1','read',9);
INSERT INTO "words" VALUES('1','tide',4);
INSERT INTO "words" VALUES('1','tide',5);
INSERT INTO "words" VALUES('1','to',8);
INSERT INTO "words" VALUES('1','which',6);
INSERT INTO "words" VALUES('1','wren',4);
INSERT INTO "words" VALUES('1','wren',5);
INSERT INTO "words" VALUES('1','は',7);
INSERT INTO "words" VALUES('1','今',7);
INSERT INTO "words" VALUES('1','今日',7);
INSERT INTO "words" VALUES('1','日',7);
INSERT INTO "words" VALUES('1','日は',7);
CREATE TABLE words_missing (
    upto INTEGER NOT NULL
) STRICT;
INSERT INTO "words_missing" VALUES(-1);
CREATE INDEX logins_user ON logins (user_id);
CREATE INDEX rooms_listed ON rooms (visibility, group_number);
CREATE INDEX members_user ON members (user_id);
CREATE INDEX messages_client ON messages (room_id, sender_id, client_id);
CREATE INDEX messages_unread ON messages (room_id, position, sender_id, deleted_at);
CREATE INDEX events_subject ON events (room_id, subject, position);
CREATE INDEX messages_changed ON messages (room_id, changed_position)
    WHERE changed_position IS NOT NULL;
CREATE INDEX mentions_position ON mentions (room_id, position);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('users',3);
INSERT INTO "sqlite_sequence" VALUES('logins',3);
INSERT INTO "sqlite_sequence" VALUES('room_ids',1);
COMMIT;
