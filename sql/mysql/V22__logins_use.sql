-- Where a login is used from, for its owner to see: when last, by which browser, from where.
ALTER TABLE logins
    ADD COLUMN last_used_at BIGINT NULL,
    ADD COLUMN user_agent   TEXT NULL,
    ADD COLUMN address      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL;
