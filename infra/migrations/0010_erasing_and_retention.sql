-- Whom a dead letter names, as far as it can be told: what is found by it is erased with the customer.
ALTER TABLE dead_letters
  ADD COLUMN customer_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL AFTER reason,
  ADD KEY dead_letters_by_customer (customer_id),
  ADD KEY dead_letters_by_key (record_key);
