-- of_sample: the sample shop wrote an event of the customer; a simulated shop's model answers for such customers alone.
-- The ids of the sample's events begin with "simulated-shop:"; the range ends before the next character.
ALTER TABLE customers ADD COLUMN of_sample BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE customers SET of_sample = TRUE WHERE EXISTS (
  SELECT 1 FROM events WHERE events.customer_pk = customers.id
    AND events.event_id >= 'simulated-shop:' AND events.event_id < 'simulated-shop;'
);
