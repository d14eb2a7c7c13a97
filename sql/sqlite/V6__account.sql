-- Where a login is used from, for its owner to see: when last, by which browser, from where.
ALTER TABLE logins ADD COLUMN last_used_at INTEGER;
ALTER TABLE logins ADD COLUMN user_agent TEXT;
ALTER TABLE logins ADD COLUMN address TEXT;

-- The version of the person's picture; NULL for who has none.
ALTER TABLE users ADD COLUMN avatar TEXT;
-- A deleted account keeps this row, emptied: what was said has an author.
ALTER TABLE users ADD COLUMN deleted_at INTEGER;

CREATE TABLE avatars (
    user_id INTEGER PRIMARY KEY,
    version TEXT NOT NULL,
    -- A media type.
    type    TEXT NOT NULL,
    bytes   BLOB NOT NULL
) STRICT;
