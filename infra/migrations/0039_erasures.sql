-- When somebody was erased who had been a customer since when: by it a version of the model tells from how many erased
-- customers it learned. A day, and no key: nothing here leads to a tombstone.
CREATE TABLE erasures (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  erased_at DATETIME(3) NOT NULL,
  first_event_on DATE NOT NULL,
  PRIMARY KEY (id),
  KEY erasures_by_time (erased_at, first_event_on)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
