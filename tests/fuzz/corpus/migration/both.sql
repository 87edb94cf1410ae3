-- note
-- migrate:up transaction:false
VACUUM;
-- migrate:down
DROP TABLE a;
