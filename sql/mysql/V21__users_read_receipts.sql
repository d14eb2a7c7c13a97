-- Whether others are told how far this person has read, and this person of others.
ALTER TABLE users ADD COLUMN read_receipts TINYINT NOT NULL DEFAULT 1;
