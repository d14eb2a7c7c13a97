-- The deletions in a room, to leave them out of what is unread.
ALTER TABLE events ADD KEY events_deleted (room_id, type, message_id);
