-- What a rise of the risk is measured against (churn.domain.alerts.RiskState), beginning with what is stored now, so that
-- the upgrade itself raises nothing.
ALTER TABLE customers
  ADD COLUMN level_before VARCHAR(10) NULL,
  ADD COLUMN stored_probability DOUBLE NULL,
  ADD COLUMN stored_version VARCHAR(64) NULL,
  ADD COLUMN stored_active TINYINT NOT NULL DEFAULT 0,
  ADD COLUMN stored_at DATETIME(3) NULL,
  ADD COLUMN earlier_probability DOUBLE NULL,
  ADD COLUMN earlier_version VARCHAR(64) NULL,
  ADD COLUMN pending_level VARCHAR(10) NULL,
  ADD COLUMN pending_from DOUBLE NULL;
UPDATE customers c
  JOIN predictions p ON p.id = (
    SELECT q.id FROM predictions q WHERE q.customer_pk = c.id ORDER BY q.created_at DESC, q.id DESC LIMIT 1
  )
  SET c.level_before = c.remembered_level,
    c.stored_probability = p.churn_probability,
    c.stored_version = p.model_version,
    c.stored_active = c.status IN ('new', 'active', 'at_risk'),
    c.stored_at = p.created_at
  WHERE c.deleted = 0;

-- Each change of an alert has a number, which rises in the order of the commits, as the ids do. counted_on: the day that the
-- totals count the alert under. raised_change: the change that took an open alert to a higher band.
ALTER TABLE alerts
  MODIFY COLUMN created_at DATETIME(6) NOT NULL,
  ADD COLUMN counted_on DATE NULL,
  ADD COLUMN change_number BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN raised_change BIGINT UNSIGNED NULL,
  ADD COLUMN raised_at DATETIME(6) NULL,
  ADD COLUMN risk_before DOUBLE NULL,
  ADD KEY alerts_by_change (change_number),
  ADD KEY alerts_by_raise (raised_change);
UPDATE alerts SET counted_on = DATE(created_at), change_number = id;

-- Beside the id of the newest alert: the numbers of the newest change and of the newest raise, and the time that was given
-- last (microseconds since 1970). All are written under the lock of the row 'alerts'.
INSERT IGNORE INTO counters (name, value) SELECT 'alert_changes', value FROM counters WHERE name = 'alerts';
INSERT IGNORE INTO counters (name, value) VALUES ('alert_raises', 0);
INSERT IGNORE INTO counters (name, value)
  SELECT 'alert_clock', IFNULL(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', MAX(created_at)), 0) FROM alerts;

-- A socket's place in the changes; greeted: `connected` was posted to it.
ALTER TABLE sockets
  ADD COLUMN change_cursor BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN follows_changes TINYINT NOT NULL DEFAULT 0,
  ADD COLUMN greeted TINYINT NOT NULL DEFAULT 0;
UPDATE sockets
  SET change_cursor = (SELECT value FROM counters WHERE name = 'alert_changes'), greeted = 1;

-- One row for each time that another version of the model began to serve: how many customers it moved to another level.
CREATE TABLE model_changes (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  version VARCHAR(64) NOT NULL,
  previous_version VARCHAR(64) NOT NULL,
  began_at DATETIME(3) NOT NULL,
  customers BIGINT NOT NULL DEFAULT 0,
  moved_up BIGINT NOT NULL DEFAULT 0,
  moved_down BIGINT NOT NULL DEFAULT 0,
  -- When the last customer was scored by the version, or another version took its place.
  ended_at DATETIME(3) NULL,
  superseded TINYINT NOT NULL DEFAULT 0,
  told_at DATETIME(3) NULL,
  leased_until DATETIME(3) NULL,
  PRIMARY KEY (id),
  KEY model_changes_by_end (ended_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
ALTER TABLE models ADD COLUMN promoted_at DATETIME(3) NULL;
