-- Everything that was done to one person, in all rooms: what is erased with their account.
ALTER TABLE events ADD KEY events_about (subject, room_id, position);
