-- By what the key is recognised that the tombstones of erased customers were made with.
CREATE TABLE erasure_key (
  id TINYINT NOT NULL DEFAULT 1,
  fingerprint VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
