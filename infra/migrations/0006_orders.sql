-- Every order with its newest version; what a customer's state (churn.domain.customer) looks up and does not carry.
CREATE TABLE orders (
  customer_pk BIGINT UNSIGNED NOT NULL,
  order_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  -- NULL: only its cancellation is known yet.
  placed_at DATETIME(3) NULL,
  cents BIGINT NOT NULL,
  discounted TINYINT NULL,
  cancelled_at DATETIME(3) NULL,
  PRIMARY KEY (customer_pk, order_id),
  KEY orders_by_time (customer_pk, placed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- fold_version: by which version of the fold the state was made; the sweep makes those of an older one again.
-- due_at: when the first event is due that was stored ahead of its time.
ALTER TABLE customers
  ADD COLUMN fold_version SMALLINT NOT NULL DEFAULT 1,
  ADD COLUMN due_at DATETIME(3) NULL,
  ADD KEY customers_by_fold (deleted, fold_version),
  ADD KEY customers_by_due (deleted, due_at);

-- The instant that a prediction is for; NULL: that of created_at.
ALTER TABLE predictions ADD COLUMN as_of DATETIME(3) NULL;
ALTER TABLE shadow_predictions ADD COLUMN as_of DATETIME(3) NULL;
