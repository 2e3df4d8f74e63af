-- Alerts that are worked on. acted_change: the number of the newest change that somebody made.
ALTER TABLE alerts
  ADD COLUMN assigned_to VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  ADD COLUMN snoozed_until DATETIME(3) NULL,
  ADD COLUMN acted_change BIGINT UNSIGNED NULL,
  ADD KEY alerts_by_customer (customer_pk, id),
  ADD KEY alerts_by_assignee (assigned_to, id),
  ADD KEY alerts_by_snooze (snoozed_until),
  ADD KEY alerts_by_action (acted_change);

-- Who did what with an alert, and when: a row a change. changed: a JSON object of the fields with their new values.
CREATE TABLE alert_actions (
  alert_id BIGINT UNSIGNED NOT NULL,
  change_number BIGINT UNSIGNED NOT NULL,
  done_at DATETIME(3) NOT NULL,
  done_by VARCHAR(255) NOT NULL,
  changed TEXT NOT NULL,
  note TEXT NULL,
  PRIMARY KEY (alert_id, change_number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The number of the newest action of all, and a socket's place in the actions. There are none yet.
INSERT IGNORE INTO counters (name, value) VALUES ('alert_actions', 0);
ALTER TABLE sockets ADD COLUMN action_cursor BIGINT UNSIGNED NOT NULL DEFAULT 0;
