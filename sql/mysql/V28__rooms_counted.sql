-- How many messages of the room have a number, and the position of the last of them.
ALTER TABLE rooms ADD COLUMN counted BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN counted_to BIGINT NOT NULL DEFAULT 0;
