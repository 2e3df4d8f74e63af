-- The UTC days with an order that counts, as the sums of retention hold them (churn.domain.cohorts); NULL: not counted yet.
ALTER TABLE customers ADD COLUMN order_days BLOB NULL;
-- Finds whom the sums do not hold yet.
ALTER TABLE customers ADD KEY customers_by_days (deleted, order_days(1));
