-- The version of the model whose probability an alert tells; NULL of alerts from before, and of those that tell none.
ALTER TABLE alerts ADD COLUMN model_version VARCHAR(64) NULL;
