"""Logistic regression in numpy: weights, their training by gradient descent, and their evaluation.

It knows neither Flower nor files.
"""

from __future__ import annotations

import numpy as np

from breast_cancer.data import Array, Examples

NUM_FEATURES = 30


def initial_weights() -> Array:
    """Weights of a model that knows nothing: one a feature, and the intercept last."""
    return np.zeros(NUM_FEATURES + 1)


def train(weights: Array, examples: Examples, *, steps: int, learning_rate: float, l2: float) -> Array:
    """Weights after so many steps of full-batch gradient descent; the intercept is not regularised."""
    for _ in range(steps):
        error = _probabilities(weights, examples) - examples.labels
        slope = examples.features.T @ error / len(examples) + l2 * weights[:-1]
        weights = weights - learning_rate * np.append(slope, error.mean())
    return weights


def evaluate(weights: Array, examples: Examples) -> tuple[float, float]:
    """Mean logistic loss, and the fraction of right answers."""
    margins = np.where(examples.labels == 1.0, 1.0, -1.0) * _logits(weights, examples)
    return float(np.logaddexp(0.0, -margins).mean()), float((margins > 0).mean())


def _logits(weights: Array, examples: Examples) -> Array:
    logits: Array = examples.features @ weights[:-1] + weights[-1]
    return logits


def _probabilities(weights: Array, examples: Examples) -> Array:
    probabilities: Array = 0.5 * (1.0 + np.tanh(0.5 * _logits(weights, examples)))
    return probabilities
