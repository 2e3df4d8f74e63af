-- left_customers: who had lapsed within the 30 days before the end of the hour and had not come back; NULL until it is measured.
ALTER TABLE hourly_stats ADD COLUMN left_customers BIGINT NULL AFTER churned_customers;
UPDATE hourly_stats SET measured_at = NULL;
