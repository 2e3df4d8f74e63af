-- returned_at: the newest order that ended a lapse; NULL without one, and in rows of before until the sweep has come past them.
-- at_risk_since: when a score first said so without a break; NULL if that is not known. Both change seldom, so that their indexes
-- cost a score nothing.
ALTER TABLE customers
  ADD COLUMN returned_at DATETIME(3) NULL,
  ADD COLUMN at_risk_since DATETIME(3) NULL;
ALTER TABLE customers
  ADD KEY customers_by_return (deleted, returned_at, id),
  ADD KEY customers_at_risk (deleted, at_risk_since, id);

-- Named filters of the list of customers. name_key: the name as it is compared. filter: a JSON object of the list's filters;
-- filter_version: how often it has changed. The figures are those of the present filter, as they were counted last.
CREATE TABLE segments (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(100) NOT NULL,
  name_key VARCHAR(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  filter TEXT NOT NULL,
  is_built_in TINYINT NOT NULL DEFAULT 0,
  version INT UNSIGNED NOT NULL DEFAULT 1,
  filter_version INT UNSIGNED NOT NULL DEFAULT 1,
  changed_at DATETIME(3) NOT NULL,
  changed_by VARCHAR(255) NULL,
  counted_at DATETIME(3) NULL,
  customers BIGINT NULL,
  is_lower_bound TINYINT NULL,
  value_at_risk DECIMAL(20, 2) NULL,
  scored BIGINT NULL,
  probability DOUBLE NULL,
  churned BIGINT NULL,
  active_before BIGINT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY segments_by_name (name_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What was counted each night.
CREATE TABLE segment_history (
  segment_id BIGINT UNSIGNED NOT NULL,
  day DATE NOT NULL,
  filter_version INT UNSIGNED NOT NULL,
  counted_at DATETIME(3) NOT NULL,
  customers BIGINT NOT NULL,
  is_lower_bound TINYINT NOT NULL,
  value_at_risk DECIMAL(20, 2) NOT NULL,
  scored BIGINT NOT NULL,
  probability DOUBLE NOT NULL,
  churned BIGINT NULL,
  active_before BIGINT NULL,
  PRIMARY KEY (segment_id, day),
  KEY segment_history_by_day (day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
