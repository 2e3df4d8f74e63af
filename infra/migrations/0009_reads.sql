-- Lists of some statuses and risk levels: each pair of them is a range of an index in the list's order. These two take the
-- place of the indexes of a status, or a level, alone.
ALTER TABLE customers
  ADD KEY customers_by_group_and_probability (deleted, status, risk_level, churn_probability, id),
  ADD KEY customers_by_group_and_last_order (deleted, status, risk_level, last_order_at, id),
  DROP KEY customers_by_status,
  DROP KEY customers_by_risk;

-- By which version of `churn.domain.search_terms` a customer's words were made; the sweep makes those of an older one again.
ALTER TABLE customers ADD COLUMN words_version SMALLINT NOT NULL DEFAULT 1;
