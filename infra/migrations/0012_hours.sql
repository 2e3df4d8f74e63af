-- Hours are measured from the orders that stood at their end; measured_at: NULL in rows of before, which are measured again.
ALTER TABLE hourly_stats ADD COLUMN measured_at DATETIME(3) NULL;
ALTER TABLE orders ADD KEY orders_by_placed (placed_at, customer_pk, cents, cancelled_at);
