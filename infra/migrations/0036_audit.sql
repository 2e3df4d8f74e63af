-- Who read, changed, exported or erased what, and when: rows are added, and never changed. Customers stand in it as HMACs.
CREATE TABLE audit (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  at DATETIME(3) NOT NULL,
  subject VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  role VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  action VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  operation VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  customer_hmac CHAR(43) CHARACTER SET ascii COLLATE ascii_bin NULL,
  object VARCHAR(10000) CHARACTER SET ascii COLLATE ascii_bin NULL,
  status SMALLINT UNSIGNED NULL,
  request_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  PRIMARY KEY (id),
  KEY audit_by_time (at),
  KEY audit_by_subject (subject, at),
  KEY audit_by_customer (customer_hmac, at),
  KEY audit_by_action (action, at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The chain over these rows, a link for each, in the order in which a job found them.
CREATE TABLE audit_links (
  position BIGINT UNSIGNED NOT NULL,
  entry_id BIGINT UNSIGNED NOT NULL,
  digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  linked_at DATETIME(3) NOT NULL,
  PRIMARY KEY (position),
  UNIQUE KEY audit_links_by_entry (entry_id),
  KEY audit_links_by_time (linked_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Where the chain begins, after what was pruned, and where it ends.
CREATE TABLE audit_ends (
  side VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  position BIGINT UNSIGNED NOT NULL,
  digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (side)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
