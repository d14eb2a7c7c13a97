-- The number of the last message up to read_number_at, and how many of the member's own follow it.
-- Both hold where read_number_at is the read position, and read_number_version its version.
-- A database that was adding this when its client ended may have finished: then it is there.
SET @add_column = IF((SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'members'
            AND column_name = 'read_number') = 0,
    'ALTER TABLE members ADD COLUMN read_number BIGINT NULL,
        ADD COLUMN read_number_at BIGINT NOT NULL DEFAULT -1,
        ADD COLUMN read_number_version BIGINT NOT NULL DEFAULT -1,
        ADD COLUMN own_after BIGINT NOT NULL DEFAULT 0',
    'DO 0');
PREPARE add_column FROM @add_column;
EXECUTE add_column;
DEALLOCATE PREPARE add_column;
