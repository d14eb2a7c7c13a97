CREATE TABLE IF NOT EXISTS messages (
    -- Made from the message's place in the log.
    id         BIGINT NOT NULL PRIMARY KEY,
    room_id    VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    position   BIGINT NOT NULL,
    sender_id  BIGINT NOT NULL,
    body       MEDIUMTEXT NOT NULL,
    sent_at    BIGINT NOT NULL,
    edited_at  BIGINT NULL,
    deleted_at BIGINT NULL,
    -- Bytes, since texts compare as equal in MySQL when they differ in trailing blanks alone.
    client_id  MEDIUMBLOB NULL,
    UNIQUE KEY messages_position (room_id, position),
    -- Tells a repeated send from a new one.
    KEY messages_client (room_id, sender_id, client_id(64)),
    -- Unread messages are counted from this index alone, without a look at the rows.
    KEY messages_unread (room_id, position, sender_id, deleted_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
