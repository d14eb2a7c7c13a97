-- Replies, reactions (JSON: [{"emoji":"👍","users":["1","2"]}]), and the position of the last
-- record that changed the message.
ALTER TABLE messages
    ADD COLUMN reply_to         BIGINT NULL,
    ADD COLUMN reactions        MEDIUMTEXT NULL,
    ADD COLUMN changed_position BIGINT NULL,
    ADD KEY messages_changed (room_id, changed_position);
