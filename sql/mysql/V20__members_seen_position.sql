-- Where the marker was when it was last set back, or 0: what was seen stays seen.
ALTER TABLE members ADD COLUMN seen_position BIGINT NOT NULL DEFAULT 0;
