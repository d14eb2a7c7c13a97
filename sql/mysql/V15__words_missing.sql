-- Messages up to this one are still without their words; the hub adds them in the background.
CREATE TABLE IF NOT EXISTS words_missing (
    upto BIGINT NOT NULL PRIMARY KEY
) ENGINE = InnoDB;
