-- One row a customer carries the current prediction and what lists are sorted and filtered by.
CREATE TABLE customers (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  deleted TINYINT NOT NULL DEFAULT 0,
  is_active TINYINT NOT NULL DEFAULT 1,
  name VARCHAR(255) NULL,
  email VARCHAR(255) NULL,
  phone VARCHAR(64) NULL,
  address VARCHAR(512) NULL,
  first_seen_at DATETIME(3) NULL,
  last_order_at DATETIME(3) NULL,
  total_orders INT NOT NULL DEFAULT 0,
  total_spent DECIMAL(15, 2) NOT NULL DEFAULT 0,
  status VARCHAR(20) NOT NULL DEFAULT 'insufficient_data',
  churn_probability DOUBLE NULL,
  risk_level VARCHAR(10) NULL,
  confidence DOUBLE NULL,
  model_version VARCHAR(64) NULL,
  expected_spend DECIMAL(15, 2) NOT NULL DEFAULT 0,
  scored_at DATETIME(3) NULL,
  remembered_level VARCHAR(10) NULL,
  alerted_level VARCHAR(10) NULL,
  alerted_at DATETIME(3) NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY customers_customer_id (customer_id),
  KEY customers_by_probability (deleted, churn_probability, id),
  KEY customers_by_spend (deleted, total_spent, id),
  KEY customers_by_last_order (deleted, last_order_at, id),
  KEY customers_by_id (deleted, customer_id),
  KEY customers_by_status (deleted, status, churn_probability, id),
  KEY customers_by_risk (deleted, risk_level, churn_probability, id),
  KEY customers_by_first_seen (deleted, first_seen_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The folded events of a customer (churn.features.CustomerState) and the reasons of the current prediction.
CREATE TABLE customer_states (
  customer_pk BIGINT UNSIGNED NOT NULL,
  state MEDIUMTEXT NOT NULL,
  contributions TEXT NULL,
  PRIMARY KEY (customer_pk)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Words by whose beginning a customer is found.
CREATE TABLE customer_words (
  word VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  customer_pk BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (word, customer_pk),
  KEY customer_words_by_customer (customer_pk)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The history; its key is what makes a repeated event known again.
CREATE TABLE events (
  customer_pk BIGINT UNSIGNED NOT NULL,
  event_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  event_type VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  occurred_at DATETIME(3) NOT NULL,
  data MEDIUMTEXT NOT NULL,
  PRIMARY KEY (customer_pk, event_id),
  KEY events_by_time (customer_pk, occurred_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Since when the shop sends a kind of event at all (churn.features.Observed).
CREATE TABLE observed_kinds (
  kind VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  since_millis BIGINT NOT NULL,
  PRIMARY KEY (kind)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE predictions (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_pk BIGINT UNSIGNED NOT NULL,
  churn_probability DOUBLE NOT NULL,
  risk_level VARCHAR(10) NOT NULL,
  confidence DOUBLE NOT NULL,
  model_version VARCHAR(64) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  KEY predictions_by_time (created_at, id),
  KEY predictions_by_risk (risk_level, created_at, id),
  KEY predictions_by_customer (customer_pk, created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The id comes from the row 'alerts' of counters, locked last in a transaction: ids rise in the order of the commits.
CREATE TABLE alerts (
  id BIGINT UNSIGNED NOT NULL,
  customer_pk BIGINT UNSIGNED NOT NULL,
  alert_type VARCHAR(64) NOT NULL,
  priority VARCHAR(10) NOT NULL,
  title VARCHAR(512) NOT NULL,
  message VARCHAR(1024) NOT NULL,
  reason VARCHAR(512) NOT NULL,
  risk_score DOUBLE NULL,
  status VARCHAR(20) NOT NULL DEFAULT 'new',
  -- 1 while the alert is open, else NULL: at most one open alert of a kind a customer.
  is_open TINYINT NULL DEFAULT 1,
  created_at DATETIME(3) NOT NULL,
  acknowledged_at DATETIME(3) NULL,
  acknowledged_by VARCHAR(255) NULL,
  resolved_at DATETIME(3) NULL,
  resolved_by VARCHAR(255) NULL,
  resolution_notes TEXT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY alerts_open (customer_pk, alert_type, is_open),
  KEY alerts_by_time (created_at, id),
  KEY alerts_by_status (status, id),
  KEY alerts_by_priority (priority, id),
  KEY alerts_by_resolution (resolved_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE counters (
  name VARCHAR(64) NOT NULL,
  value BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT IGNORE INTO counters (name, value) VALUES ('alerts', 0);

-- Sums kept as they change, in shards so that writers do not wait for one row. What each name means: churn.storage.totals.
CREATE TABLE totals (
  name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  shard TINYINT UNSIGNED NOT NULL,
  value BIGINT NOT NULL,
  PRIMARY KEY (name, shard)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The dashboard's figures of an hour that has begun; written by the sweep.
CREATE TABLE hourly_stats (
  hour DATETIME NOT NULL,
  active_customers BIGINT NOT NULL,
  new_customers BIGINT NOT NULL,
  churned_customers BIGINT NOT NULL,
  high_risk_customers BIGINT NULL,
  PRIMARY KEY (hour)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Which models have served; the newest loaded_at is the one that serves.
CREATE TABLE models (
  version VARCHAR(64) NOT NULL,
  metadata MEDIUMTEXT NOT NULL,
  loaded_at DATETIME(3) NOT NULL,
  PRIMARY KEY (version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Records that are no events, with where they stood; the key makes a repeated delivery known again.
CREATE TABLE dead_letters (
  topic VARCHAR(249) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  partition_id INT NOT NULL,
  record_offset BIGINT NOT NULL,
  reason VARCHAR(1024) NOT NULL,
  record_key VARBINARY(512) NULL,
  record_value LONGBLOB NULL,
  failed_at DATETIME(3) NOT NULL,
  redriven_at DATETIME(3) NULL,
  PRIMARY KEY (topic, partition_id, record_offset),
  KEY dead_letters_by_time (failed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Open WebSockets. alert_cursor: the newest alert that was posted to it; lease: who posts to it now, and until when.
CREATE TABLE sockets (
  connection_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  subject VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  role VARCHAR(16) NOT NULL,
  subscribed TINYINT NOT NULL DEFAULT 0,
  min_priority TINYINT NOT NULL DEFAULT 0,
  alert_cursor BIGINT UNSIGNED NOT NULL DEFAULT 0,
  lease CHAR(32) NULL,
  leased_until DATETIME(3) NULL,
  connected_at DATETIME(3) NOT NULL,
  expires_at DATETIME(3) NOT NULL,
  PRIMARY KEY (connection_id),
  KEY sockets_by_subject (subject),
  KEY sockets_by_cursor (subscribed, alert_cursor),
  KEY sockets_by_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Tickets that a socket has been opened with: each opens one.
CREATE TABLE used_tickets (
  ticket_id CHAR(32) NOT NULL,
  expires_at DATETIME(3) NOT NULL,
  PRIMARY KEY (ticket_id),
  KEY used_tickets_by_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
