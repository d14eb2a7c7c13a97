-- Present members only.
CREATE TABLE IF NOT EXISTS members (
    room_id       VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    user_id       BIGINT NOT NULL,
    role          VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    joined_at     BIGINT NOT NULL,
    read_position BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id),
    KEY members_user (user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
