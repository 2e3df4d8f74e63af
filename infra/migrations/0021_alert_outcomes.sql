-- What became of the customer of an alert, and what had been made of the alert until that was known (churn.domain.outcomes).
-- handling: NULL until the sums of the week count the alert, which the next night does for those of before.
ALTER TABLE alerts
  ADD COLUMN outcome VARCHAR(10) NOT NULL DEFAULT 'pending',
  ADD COLUMN handling VARCHAR(10) NULL;
ALTER TABLE alerts
  ADD KEY alerts_by_kind (alert_type, outcome, id, created_at),
  ADD KEY alerts_by_outcome (outcome, id, created_at);

-- Alerts counted by the week (its Monday) that they were raised in; written as they change, under the lock of the counters.
CREATE TABLE alert_weeks (
  week DATE NOT NULL,
  alert_type VARCHAR(64) NOT NULL,
  handling VARCHAR(10) NOT NULL,
  outcome VARCHAR(10) NOT NULL,
  number BIGINT NOT NULL,
  PRIMARY KEY (week, alert_type, handling, outcome)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Up to which alert the nightly evaluation has come: counted by week, with a first outcome, and with the last.
INSERT IGNORE INTO counters (name, value)
  VALUES ('alerts_counted', 0), ('alerts_judged', 0), ('alerts_settled', 0);
