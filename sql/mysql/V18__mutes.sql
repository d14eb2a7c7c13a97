-- Until when somebody may not write in a group. Apart from members: leaving ends no mute.
CREATE TABLE IF NOT EXISTS mutes (
    room_id     VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    user_id     BIGINT NOT NULL,
    muted_until BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
