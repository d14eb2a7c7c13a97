-- One DDL statement a file: MySQL commits at each, and a hub that died in between starts again
-- at the file that failed. Times are milliseconds since 1970 in UTC. No foreign keys anywhere:
-- rows are folded from the log, and a record that names somebody unknown must not stop
-- everything behind it. Columns named *_key are in lower case, made by the hub.
CREATE TABLE IF NOT EXISTS users (
    -- Numbers are never given twice: old messages would change their author.
    id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    username      VARCHAR(255) NOT NULL,
    username_key  VARCHAR(255) NOT NULL,
    display_name  TEXT NOT NULL,
    display_key   TEXT NOT NULL,
    -- PHC string format.
    password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    disabled_at   BIGINT NULL,
    created_at    BIGINT NOT NULL,
    -- When the last of the person's sockets closed.
    last_seen     BIGINT NULL,
    UNIQUE KEY users_username (username_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
