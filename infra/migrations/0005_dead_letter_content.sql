-- A topic may begin again at offset 0 (a new cluster): a dead letter is known by its content as well as by its place.
ALTER TABLE dead_letters
  ADD COLUMN content_hash BINARY(32) NULL AFTER record_offset;
UPDATE dead_letters
  SET content_hash = UNHEX(SHA2(CONCAT(IFNULL(record_key, ''), CHAR(0), IFNULL(record_value, '')), 256));
ALTER TABLE dead_letters
  MODIFY COLUMN content_hash BINARY(32) NOT NULL,
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (topic, partition_id, record_offset, content_hash);
