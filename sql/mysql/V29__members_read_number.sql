-- The number of the last message up to read_number_at, and how many of the member's own follow it.
-- Where read_number_at is not the read position, neither is known.
ALTER TABLE members ADD COLUMN read_number BIGINT NULL,
    ADD COLUMN read_number_at BIGINT NOT NULL DEFAULT -1,
    ADD COLUMN own_after BIGINT NOT NULL DEFAULT 0;
