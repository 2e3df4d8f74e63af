-- How good a version's predictions of a week were, or are expected to be until their outcomes are known. week: its Monday (UTC).
CREATE TABLE model_quality (
  model_version VARCHAR(64) NOT NULL,
  role VARCHAR(10) NOT NULL,
  week DATE NOT NULL,
  -- estimated, matured (late events may still change it) or settled.
  stage VARCHAR(10) NOT NULL,
  horizon_days INT NOT NULL,
  customers INT NOT NULL,
  churned INT NULL,
  expected TEXT NOT NULL,
  realised TEXT NULL,
  intervals TEXT NULL,
  evaluated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (model_version, role, week),
  KEY model_quality_by_week (week, role)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Weeks that have been looked at, and when one is due again; NULL: never.
CREATE TABLE evaluated_weeks (
  week DATE NOT NULL,
  next_at DATETIME(3) NULL,
  PRIMARY KEY (week)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Two versions that predicted for the same customers at the same instants, on outcomes that are known.
CREATE TABLE model_comparisons (
  champion VARCHAR(64) NOT NULL,
  challenger VARCHAR(64) NOT NULL,
  first_week DATE NOT NULL,
  last_week DATE NOT NULL,
  customers INT NOT NULL,
  churned INT NOT NULL,
  champion_figures TEXT NOT NULL,
  challenger_figures TEXT NOT NULL,
  differences TEXT NOT NULL,
  verdict VARCHAR(20) NOT NULL,
  evaluated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (champion, challenger)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- How the active customers of a day differ from those that the model was tested on (churn.drift.Drift).
CREATE TABLE feature_drift (
  day DATE NOT NULL,
  model_version VARCHAR(64) NOT NULL,
  column_name VARCHAR(64) NOT NULL,
  customers INT NOT NULL,
  psi DOUBLE NOT NULL,
  noise DOUBLE NOT NULL,
  missing DOUBLE NOT NULL,
  missing_before DOUBLE NOT NULL,
  importance DOUBLE NULL,
  verdict VARCHAR(20) NOT NULL,
  PRIMARY KEY (model_version, day, column_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
