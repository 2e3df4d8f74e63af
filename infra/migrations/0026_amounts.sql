-- Amounts up to 1,000,000,000,000 (dong, rupiah, rial): what a customer's orders come to, at most 1,000,000,000,000,000, and
-- sums over a million such customers, in `totals` in hundredths.
ALTER TABLE customers
  MODIFY COLUMN total_spent DECIMAL(20, 2) NOT NULL DEFAULT 0,
  MODIFY COLUMN expected_spend DECIMAL(20, 2) NOT NULL DEFAULT 0,
  MODIFY COLUMN value_at_risk DECIMAL(20, 2) NULL;
ALTER TABLE totals MODIFY COLUMN value DECIMAL(30, 0) NOT NULL;
ALTER TABLE segments MODIFY COLUMN value_at_risk DECIMAL(28, 2) NULL;
ALTER TABLE segment_history MODIFY COLUMN value_at_risk DECIMAL(28, 2) NOT NULL;
