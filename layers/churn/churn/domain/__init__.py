"""What a shop's customers are and what their risk means: pure, standard library alone."""
