-- Who is due by the age of the score, apart for those who have lapsed, who are scored more seldom.
ALTER TABLE customers
  DROP KEY customers_by_score,
  ADD KEY customers_by_score (deleted, model_version, status, scored_at);
