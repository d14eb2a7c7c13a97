-- The words of messages, for searching. Those of a text that was edited away may stay.
CREATE TABLE words (
    room_id  TEXT NOT NULL,
    word     TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, word, position)
) STRICT, WITHOUT ROWID;
