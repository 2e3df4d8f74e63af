-- What a preview of other settings of alerts needs to know of each stored score; NULL in rows of before.
ALTER TABLE predictions
  ADD COLUMN value_at_risk DECIMAL(20, 2) NULL,
  ADD COLUMN is_active TINYINT NULL;

-- The value at risk of a customer whose alert waits, NULL of all others: the most valuable ones are raised first.
ALTER TABLE customers ADD COLUMN waiting_value DECIMAL(20, 2) NULL;
UPDATE customers SET waiting_value = IFNULL(value_at_risk, 0) WHERE pending_level IS NOT NULL;
ALTER TABLE customers ADD KEY customers_by_waiting_value (waiting_value, id);

-- How many alerts on the risk have been raised on a day (UTC, by the database's clock), while their number is limited.
CREATE TABLE alert_budget (
  day DATE NOT NULL,
  raised INT NOT NULL,
  PRIMARY KEY (day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
