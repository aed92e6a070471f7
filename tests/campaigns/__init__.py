"""Long trials with a seed, a count and a report; a small share of each is in the default tests."""
