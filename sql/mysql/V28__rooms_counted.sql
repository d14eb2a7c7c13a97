-- How many messages of the room have a number, and the position of the last of them.
-- A database that was adding this when its client ended may have finished: then it is there.
SET @add_column = IF((SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'rooms'
            AND column_name = 'counted') = 0,
    'ALTER TABLE rooms ADD COLUMN counted BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN counted_to BIGINT NOT NULL DEFAULT 0',
    'DO 0');
PREPARE add_column FROM @add_column;
EXECUTE add_column;
DEALLOCATE PREPARE add_column;
