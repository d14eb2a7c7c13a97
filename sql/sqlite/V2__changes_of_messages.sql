-- Replies, reactions, and which messages were changed last.
ALTER TABLE messages ADD COLUMN reply_to INTEGER;
-- JSON: [{"emoji":"👍","users":["1","2"]}]
ALTER TABLE messages ADD COLUMN reactions TEXT;
-- Of the last record that changed it.
ALTER TABLE messages ADD COLUMN changed_position INTEGER;
CREATE INDEX messages_changed ON messages (room_id, changed_position)
    WHERE changed_position IS NOT NULL;
CREATE INDEX mentions_position ON mentions (room_id, position);

-- The message that the event is about, if it is about one.
ALTER TABLE events ADD COLUMN message_id INTEGER;
