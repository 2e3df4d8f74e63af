-- When the version of an order that counts was made, where its event says so; NULL: when it was placed.
ALTER TABLE orders ADD COLUMN revised_at DATETIME(3) NULL;
