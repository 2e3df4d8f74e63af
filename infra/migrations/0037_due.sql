-- Who is due to be scored again, as ranges: by the model's version and the instant of the score, and by the version of
-- the words of the search.
ALTER TABLE customers
  ADD KEY customers_by_score (deleted, model_version, scored_at),
  ADD KEY customers_by_words (deleted, words_version);
