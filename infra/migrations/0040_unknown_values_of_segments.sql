-- value_at_risk: NULL where the shop tells no values, so that nobody's is known.
ALTER TABLE segment_history MODIFY COLUMN value_at_risk DECIMAL(28, 2) NULL;
