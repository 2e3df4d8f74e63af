-- An import finds an order by when it was placed and its number, under whichever customer it stands.
ALTER TABLE orders
  DROP KEY orders_by_placed,
  ADD KEY orders_by_placed (placed_at, order_id, customer_pk, cents, cancelled_at);
