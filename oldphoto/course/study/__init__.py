"""The user study of notebook 13: rankings, answers, tables."""
