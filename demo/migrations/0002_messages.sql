-- migrate:up
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    body TEXT NOT NULL
);
CREATE INDEX messages_by_user ON messages (user_id);
INSERT INTO users (name) VALUES ('ada'), ('grace'), ('linus'), ('margaret');
CREATE TRIGGER xp_for_messages AFTER INSERT ON messages
BEGIN
    UPDATE users SET xp = xp + CASE WHEN length(NEW.body) > 100 THEN 2 ELSE 1 END
    WHERE id = NEW.user_id;
END;

-- migrate:down
DROP TABLE messages;
