-- Who has lapsed is scored too seldom for a change of a week: what a version of before has left is no such change.
UPDATE customers SET risk_change_7d = NULL WHERE status = 'lapsed' AND risk_change_7d IS NOT NULL;
