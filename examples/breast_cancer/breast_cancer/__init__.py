"""A logistic regression on breast cancer data that stays where it is."""
