-- Links and ends of the audit trail say when they were made, and ends are signed. The job links all entries again.
DELETE FROM audit_links;
DELETE FROM audit_ends;
ALTER TABLE audit_links ADD COLUMN complete_at DATETIME(3) NULL;
ALTER TABLE audit_ends
  ADD COLUMN at DATETIME(3) NULL,
  ADD COLUMN signature CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL;
