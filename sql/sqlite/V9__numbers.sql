-- Which message of its room it is, from 1 on; NULL until it is counted.
ALTER TABLE messages ADD COLUMN number INTEGER NULL;
-- How many messages of the room have a number, and the position of the last of them.
ALTER TABLE rooms ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN counted_to INTEGER NOT NULL DEFAULT 0;
-- The number of the last message up to read_number_at, and how many of the member's own follow it.
-- Both hold where read_number_at is the read position, and read_number_version its version.
ALTER TABLE members ADD COLUMN read_number INTEGER NULL;
ALTER TABLE members ADD COLUMN read_number_at INTEGER NOT NULL DEFAULT -1;
ALTER TABLE members ADD COLUMN read_number_version INTEGER NOT NULL DEFAULT -1;
ALTER TABLE members ADD COLUMN own_after INTEGER NOT NULL DEFAULT 0;
-- The deletions in a room, to leave them out of what is unread.
CREATE INDEX events_deleted ON events (room_id, position, message_id) WHERE type = 'deleted';
