-- The messages that have the word, as differences (core/postings). Without it there is one, and it
-- stands at `position`.
ALTER TABLE words ADD COLUMN postings VARBINARY(9216) NULL;
