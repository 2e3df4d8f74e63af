-- What kind of model a version is: random_forest or purchase_process (churn.risk).
ALTER TABLE models ADD COLUMN kind VARCHAR(32) NOT NULL DEFAULT 'random_forest';
