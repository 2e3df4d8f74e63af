"""Models that serve and what is measured of them: numpy, never scikit-learn."""
