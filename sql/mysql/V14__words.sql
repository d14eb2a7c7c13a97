-- The words of messages, for searching. Those of a text that was edited away may stay.
CREATE TABLE IF NOT EXISTS words (
    room_id  VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    word     VARCHAR(48) NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (room_id, word, position)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
