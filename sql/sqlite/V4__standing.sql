-- Whether somebody administers public groups without being in them.
ALTER TABLE users ADD COLUMN hub_admin INTEGER NOT NULL DEFAULT 0;

-- Until when somebody may not write in a group. Apart from members: leaving ends no mute.
CREATE TABLE mutes (
    room_id     TEXT NOT NULL,
    user_id     INTEGER NOT NULL,
    muted_until INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
