-- Everything that was done to one person, in all rooms: what is erased with their account.
CREATE INDEX events_about ON events (subject, room_id, position);
