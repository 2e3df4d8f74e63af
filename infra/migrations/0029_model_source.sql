-- What a model version learned from: simulated, shop, or prior (churn.domain.model); NULL where its metadata do not say.
ALTER TABLE models ADD COLUMN source VARCHAR(16) NULL;
UPDATE models SET source = CASE JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.source'))
  WHEN 'sample' THEN 'simulated' WHEN 'history' THEN 'shop' END;
