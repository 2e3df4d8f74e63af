-- What the environments of a function last did, and which model they hold: a row a function, written at most every ten
-- seconds. done_at: when scoring last applied a batch, or a sweep ended. The row of health is its own attempts to write.
CREATE TABLE component_reports (
  component VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  since DATETIME(3) NOT NULL,
  reported_at DATETIME(3) NOT NULL,
  read_at DATETIME(3) NULL,
  written_at DATETIME(3) NULL,
  failed_at DATETIME(3) NULL,
  failure VARCHAR(128) NULL,
  done_at DATETIME(3) NULL,
  model_version VARCHAR(128) NULL,
  model_refused VARCHAR(512) NULL,
  PRIMARY KEY (component)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
-- A sweep that never runs is known by the time since when it could have.
INSERT INTO component_reports (component, since, reported_at) VALUES ('rescoring', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3));
