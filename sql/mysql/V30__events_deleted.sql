-- The deletions in a room, to leave them out of what is unread. A database that was making this key
-- when its client ended may have finished: then it is there.
SET @make_key = IF((SELECT COUNT(*) FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'events'
            AND index_name = 'events_deleted') = 0,
    'ALTER TABLE events ADD KEY events_deleted (room_id, type, position, message_id)',
    'DO 0');
PREPARE make_key FROM @make_key;
EXECUTE make_key;
DEALLOCATE PREPARE make_key;
