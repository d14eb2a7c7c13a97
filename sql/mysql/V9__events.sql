-- Everything accepted that is no message: for clients that resume, and for the audit.
CREATE TABLE IF NOT EXISTS events (
    room_id  VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    position BIGINT NOT NULL,
    type     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    by_user  BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    -- The member whom it is about, if it is about one.
    subject  BIGINT NULL,
    -- JSON, as it goes to clients. Not of the type JSON, which would put the fields in another
    -- order; and the founding of a large room takes more than a TEXT holds.
    data     MEDIUMTEXT NOT NULL,
    PRIMARY KEY (room_id, position),
    KEY events_subject (room_id, subject, position)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
