INSERT INTO words_missing SELECT COALESCE(MAX(id), -1) FROM messages;
