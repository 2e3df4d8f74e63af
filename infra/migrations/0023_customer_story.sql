-- What a prediction rests on (churn.domain.reasons); NULL in rows of before.
ALTER TABLE predictions ADD COLUMN reasons VARCHAR(1000) CHARACTER SET ascii COLLATE ascii_bin NULL;
-- A customer's alerts, and what was done with them, in the order of time. customer_pk: NULL in rows that a version of before
-- writes while this one is deployed, which the nightly pruning sets right.
ALTER TABLE alerts ADD KEY alerts_by_customer_and_time (customer_pk, created_at, id);
ALTER TABLE alert_actions
  ADD COLUMN customer_pk BIGINT UNSIGNED NULL,
  ADD KEY alert_actions_by_customer (customer_pk, done_at, change_number);
UPDATE alert_actions x JOIN alerts a ON a.id = x.alert_id SET x.customer_pk = a.customer_pk;
