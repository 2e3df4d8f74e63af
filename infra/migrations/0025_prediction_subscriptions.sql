-- Which predictions an open socket asks to be told of. names_customers: only of those in prediction_customers.
ALTER TABLE sockets
  ADD COLUMN wants_predictions TINYINT NOT NULL DEFAULT 0,
  ADD COLUMN names_customers TINYINT NOT NULL DEFAULT 0,
  ADD COLUMN min_risk DOUBLE NOT NULL DEFAULT 0,
  ADD COLUMN segment_id BIGINT UNSIGNED NULL,
  ADD KEY sockets_by_predictions (wants_predictions);

-- The customers that a socket has named: they go with it.
CREATE TABLE prediction_customers (
  customer_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  connection_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (customer_id, connection_id),
  KEY prediction_customers_by_socket (connection_id),
  CONSTRAINT prediction_customers_socket FOREIGN KEY (connection_id) REFERENCES sockets (connection_id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
