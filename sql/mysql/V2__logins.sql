-- One cookie or token each; only its SHA-256 is stored.
CREATE TABLE IF NOT EXISTS logins (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id    BIGINT NOT NULL,
    token_hash BINARY(32) NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE KEY logins_token (token_hash),
    KEY logins_user (user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
