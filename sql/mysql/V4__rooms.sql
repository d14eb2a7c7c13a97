CREATE TABLE IF NOT EXISTS rooms (
    -- '17' for a group, 'd3-17' for the direct room of two users.
    id              VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    -- A group's id as a number, to list groups in the order they were made.
    group_number    BIGINT NULL,
    kind            VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- NULL for direct rooms: each of the two sees the other's name. The hub limits the length;
    -- the column does not, since a record that another program wrote must fit too.
    name            MEDIUMTEXT NULL,
    topic           MEDIUMTEXT NOT NULL,
    -- Name and topic, for searching.
    search_key      LONGTEXT NOT NULL,
    visibility      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Of the last record that had an effect here.
    position        BIGINT NOT NULL,
    last_message_id BIGINT NULL,
    member_count    BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    -- A deleted room keeps this row, emptied, so that its id cannot come back to life.
    deleted_at      BIGINT NULL,
    KEY rooms_listed (visibility, group_number)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
