-- The version of the person's picture, NULL for who has none; and since when the account is
-- deleted, whose row stays, emptied, so that what was said has an author.
ALTER TABLE users
    ADD COLUMN avatar     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ADD COLUMN deleted_at BIGINT NULL;
