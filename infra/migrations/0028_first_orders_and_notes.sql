-- The UTC day of the first order that counts, as order_days tells it: NULL without one, and where it is not counted yet. 719528 is
-- the number of 1970-01-01. Virtual, so that no row is written anew, and what a version of before writes is right at once.
ALTER TABLE customers ADD COLUMN first_order_day DATE GENERATED ALWAYS AS (
  IF(LENGTH(order_days) >= 2, FROM_DAYS(719528 + ASCII(order_days) * 256 + ASCII(SUBSTRING(order_days, 2, 1))), NULL)
) VIRTUAL;
ALTER TABLE customers ADD KEY customers_by_first_order (deleted, first_order_day, id);

-- What people note about a customer.
CREATE TABLE customer_notes (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_pk BIGINT UNSIGNED NOT NULL,
  written_at DATETIME(3) NOT NULL,
  written_by VARCHAR(255) NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (id),
  KEY customer_notes_by_customer (customer_pk, written_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
