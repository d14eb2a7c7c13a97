-- Where the numbers of groups come from.
CREATE TABLE IF NOT EXISTS room_ids (
    id      BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    made_at BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
