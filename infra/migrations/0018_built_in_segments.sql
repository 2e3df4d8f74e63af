-- The segments that come with the service. A shop may rename them and change their filters, and deletes none.
INSERT INTO segments (name, name_key, filter, is_built_in, changed_at) VALUES
  ('High value at risk', 'high value at risk',
   '{"risk_level": ["high", "critical"], "status": ["new", "active", "at_risk"], "min_value_ratio": 2.0}',
   1, UTC_TIMESTAMP(3)),
  ('Newly at risk this week', 'newly at risk this week', '{"status": ["at_risk"], "max_days_at_risk": 7.0}',
   1, UTC_TIMESTAMP(3)),
  ('Came back', 'came back', '{"status": ["new", "active", "at_risk"], "max_days_since_return": 30.0}',
   1, UTC_TIMESTAMP(3)),
  ('Never bought again', 'never bought again',
   '{"status": ["lapsed"], "min_total_orders": 1, "max_total_orders": 1}', 1, UTC_TIMESTAMP(3));
