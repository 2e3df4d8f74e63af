-- Events of the stream that were applied, by minute and by hour (minutes: 1 or 60) and by type; 'other' is every type that the
-- service does not know. In shards, so that writers seldom meet in one row.
CREATE TABLE event_counts (
  minutes TINYINT UNSIGNED NOT NULL,
  began_at DATETIME NOT NULL,
  event_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  shard TINYINT UNSIGNED NOT NULL,
  applied BIGINT NOT NULL,
  PRIMARY KEY (minutes, began_at, event_type, shard)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Files that were imported, or are being imported (ended_at: NULL), with what became of their lines.
CREATE TABLE imports (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  file_name VARCHAR(255) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  started_at DATETIME(3) NOT NULL,
  ended_at DATETIME(3) NULL,
  file_lines BIGINT NOT NULL DEFAULT 0,
  rejected BIGINT NOT NULL DEFAULT 0,
  events BIGINT NOT NULL DEFAULT 0,
  repeated BIGINT NOT NULL DEFAULT 0,
  too_late BIGINT NOT NULL DEFAULT 0,
  refused BIGINT NOT NULL DEFAULT 0,
  customers BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  KEY imports_by_start (started_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Dead letters that wait to be redriven, in the order of time.
ALTER TABLE dead_letters ADD KEY dead_letters_by_state (redriven_at, failed_at);
