-- The message that the event is about, if it is about one.
ALTER TABLE events ADD COLUMN message_id BIGINT NULL;
