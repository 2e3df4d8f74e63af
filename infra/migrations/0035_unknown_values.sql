-- The value of an order may be unknown (NULL), and with it what its customer has spent and is expected to spend.
ALTER TABLE orders MODIFY COLUMN cents BIGINT NULL;
ALTER TABLE customers
  MODIFY COLUMN total_spent DECIMAL(20, 2) NULL DEFAULT 0,
  MODIFY COLUMN expected_spend DECIMAL(20, 2) NULL DEFAULT 0;
