"""The features as a scikit-learn transformer: hashed words and word pairs as a sparse matrix, a row a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin

from models import ngrams

if TYPE_CHECKING:
    from collections.abc import Sequence


class HashedNgrams(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Texts -> counts of their hashed words and pairs, over the root of how many the text has; learns nothing."""

    def fit(self, texts: Sequence[str], stages: Sequence[int] | None = None) -> Self:  # noqa: ARG002
        """Learn nothing: hashing needs no vocabulary."""
        return self

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """A sparse matrix of a row a text and a column a bucket."""
        if not len(texts):
            return csr_matrix((0, ngrams.BUCKETS))
        found = ngrams.words(texts)
        ends = 2 * found.marks
        lengths = np.diff(ends)
        values = np.repeat(1 / np.sqrt(lengths), lengths)
        matrix = csr_matrix((values, ngrams.buckets(found), ends), shape=(len(texts), ngrams.BUCKETS))
        matrix.sum_duplicates()
        return matrix

    def __sklearn_tags__(self) -> object:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags
