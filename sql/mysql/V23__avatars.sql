CREATE TABLE IF NOT EXISTS avatars (
    user_id BIGINT NOT NULL PRIMARY KEY,
    version VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- A media type.
    type    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    bytes   MEDIUMBLOB NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
