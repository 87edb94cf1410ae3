-- migrate:up transaction:false
DELETE FROM messages WHERE id % 2 = 0;
ALTER TABLE messages ADD COLUMN mood TEXT;
UPDATE messages SET moood = 'happy';
