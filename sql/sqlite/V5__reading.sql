-- A read marker is the pair (read_version, read_position): marking as unread raises the version.
ALTER TABLE members ADD COLUMN read_version INTEGER NOT NULL DEFAULT 0;
-- Where the marker was when it was last set back, or 0: what was seen stays seen.
ALTER TABLE members ADD COLUMN seen_position INTEGER NOT NULL DEFAULT 0;
-- Whether others are told how far this person has read, and this person of others.
ALTER TABLE users ADD COLUMN read_receipts INTEGER NOT NULL DEFAULT 1;
