-- Deleted rooms to whose messages words and mentions still point. These are removed bit by bit: of
-- a large room they are too many for one transaction.
CREATE TABLE IF NOT EXISTS burials (
    room_id VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
