-- The number of the last message up to read_number_at, and how many of the member's own follow it.
-- Both hold where read_number_at is the read position, and read_number_version its version.
ALTER TABLE members ADD COLUMN read_number BIGINT NULL,
    ADD COLUMN read_number_at BIGINT NOT NULL DEFAULT -1,
    ADD COLUMN read_number_version BIGINT NOT NULL DEFAULT -1,
    ADD COLUMN own_after BIGINT NOT NULL DEFAULT 0;
