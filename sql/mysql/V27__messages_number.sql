-- Which message of its room it is, from 1 on; NULL until it is counted.
-- A database that was adding this when its client ended may have finished: then it is there.
SET @add_column = IF((SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'messages'
            AND column_name = 'number') = 0,
    'ALTER TABLE messages ADD COLUMN number BIGINT NULL',
    'DO 0');
PREPARE add_column FROM @add_column;
EXECUTE add_column;
DEALLOCATE PREPARE add_column;
