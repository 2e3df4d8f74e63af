-- What is expected to be lost of a customer, and the expected spend, to sort by: of each status and level in an index's order.
-- value_at_risk: NULL without a score, and in rows of before until the sweep has come past them.
-- counted_bin: the bin of the churn probability that the totals count the customer in, NULL if in none.
ALTER TABLE customers
  ADD COLUMN value_at_risk DECIMAL(15, 2) NULL,
  ADD COLUMN counted_bin SMALLINT NULL;
ALTER TABLE customers
  ADD KEY customers_by_group_and_value (deleted, status, risk_level, value_at_risk, id),
  ADD KEY customers_by_group_and_expected (deleted, status, risk_level, expected_spend, id);
-- Who has an open alert.
ALTER TABLE alerts ADD KEY alerts_by_open (is_open, customer_pk);
