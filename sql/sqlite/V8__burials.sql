-- Deleted rooms to whose messages words and mentions still point. These are removed bit by bit: of
-- a large room they are too many for one transaction.
CREATE TABLE burials (
    room_id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
