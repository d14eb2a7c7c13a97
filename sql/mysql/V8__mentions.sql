-- user_id 0 stands for everyone.
CREATE TABLE IF NOT EXISTS mentions (
    room_id  VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    user_id  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id, position)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
