-- Which messages have a word, by their ids. A term is a room and a word in it, as in 42_owl; see
-- src/store/words.rs.
CREATE VIRTUAL TABLE found USING fts5(
    terms, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '-_'"
);
-- Messages up to this one are still without their terms; the hub adds them in the background.
CREATE TABLE found_missing (
    upto INTEGER NOT NULL
) STRICT;
INSERT INTO found_missing SELECT COALESCE(MAX(id), -1) FROM messages;

-- The version before has words in this table, and may be started again: it begins anew then, and so
-- does this one when it comes back.
DELETE FROM words;
UPDATE words_missing SET upto = 9223372036854775807;
CREATE TRIGGER words_of_the_version_before AFTER INSERT ON words BEGIN
    UPDATE found_missing SET upto = (SELECT COALESCE(MAX(id), -1) FROM messages);
END;
