-- What the challenger says of the customers whose served prediction is stored beside it, to be compared on outcomes.
CREATE TABLE shadow_predictions (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_pk BIGINT UNSIGNED NOT NULL,
  model_version VARCHAR(64) NOT NULL,
  churn_probability DOUBLE NOT NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  KEY shadow_predictions_by_time (created_at, id),
  KEY shadow_predictions_by_customer (customer_pk, created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE training_runs (
  run_id CHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state VARCHAR(16) NOT NULL,
  -- 1 while the run is queued or running, else NULL: at most one at a time.
  is_open TINYINT NULL DEFAULT 1,
  requested_by VARCHAR(255) NOT NULL,
  progress VARCHAR(255) NULL,
  version VARCHAR(64) NULL,
  promoted TINYINT NULL,
  reason VARCHAR(1024) NULL,
  requested_at DATETIME(3) NOT NULL,
  started_at DATETIME(3) NULL,
  updated_at DATETIME(3) NOT NULL,
  ended_at DATETIME(3) NULL,
  PRIMARY KEY (run_id),
  UNIQUE KEY training_runs_open (is_open),
  KEY training_runs_by_time (requested_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
