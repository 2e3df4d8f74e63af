-- What is expected of a customer over the horizon, as of the newest score: days with an order, the interval of the spend, the gap
-- that is usual between orders, and when the next order is as likely as not. NULL where the model's version tells nothing of it.
ALTER TABLE customers
  ADD COLUMN expected_orders DOUBLE NULL,
  ADD COLUMN expected_spend_low DECIMAL(20, 2) NULL,
  ADD COLUMN expected_spend_high DECIMAL(20, 2) NULL,
  ADD COLUMN usual_gap_days DOUBLE NULL,
  ADD COLUMN next_order_at DATETIME(3) NULL;
