-- Whether somebody administers public groups without being in them.
ALTER TABLE users ADD COLUMN hub_admin TINYINT NOT NULL DEFAULT 0;
