-- A cancelled order that a later export shows as paid stands again: since when, and which cancellation was known last.
ALTER TABLE orders
  ADD COLUMN reinstated_at DATETIME(3) NULL,
  ADD COLUMN cancelled_as_of DATETIME(3) NULL;

-- A file that was imported to its end is known again by its bytes, and changes nothing.
ALTER TABLE imports ADD COLUMN digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL;
