ALTER TABLE mentions ADD KEY mentions_position (room_id, position);
