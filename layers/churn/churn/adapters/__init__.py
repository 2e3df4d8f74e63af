"""The outside world, one technology a module; everything here may fail."""
