-- The churn probability less the newest that was stored at least 7 days before the score; NULL without one.
ALTER TABLE customers ADD COLUMN risk_change_7d DOUBLE NULL;
ALTER TABLE customers ADD KEY customers_by_group_and_change (deleted, status, risk_level, risk_change_7d, id);
