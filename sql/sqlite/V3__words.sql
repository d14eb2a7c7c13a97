-- The words of messages, for searching. Those of a text that was edited away may stay.
CREATE TABLE words (
    room_id  TEXT NOT NULL,
    word     TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, word, position)
) STRICT, WITHOUT ROWID;

-- Messages up to this one are still without their words; the hub adds them in the background.
CREATE TABLE words_missing (
    upto INTEGER NOT NULL
) STRICT;
INSERT INTO words_missing SELECT COALESCE(MAX(id), -1) FROM messages;
