-- How far each partition of the log is in these tables; moved in the transaction of the rows.
CREATE TABLE IF NOT EXISTS log_offsets (
    partition_id BIGINT NOT NULL PRIMARY KEY,
    -- How often the log was made anew. The same for all.
    epoch        BIGINT NOT NULL,
    next_offset  BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
