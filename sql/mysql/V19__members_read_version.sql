-- A read marker is the pair (read_version, read_position): marking as unread raises the version.
ALTER TABLE members ADD COLUMN read_version BIGINT NOT NULL DEFAULT 0;
