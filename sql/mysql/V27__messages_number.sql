-- Which message of its room it is, from 1 on; NULL until it is counted.
ALTER TABLE messages ADD COLUMN number BIGINT NULL;
