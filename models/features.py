"""The features as scikit-learn transformers: hashed n-grams as a sparse matrix, a row a text; and how rare each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from models import ngrams

if TYPE_CHECKING:
    from collections.abc import Sequence


class HashedNgrams(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Texts -> counts of hashed words, pairs and runs of letters, over the root of how many words and pairs there are.

    Learns nothing. The second half of the columns holds the runs.
    """

    def fit(self, texts: Sequence[str], y: Sequence[int] | None = None) -> Self:  # noqa: ARG002
        """Learn nothing: hashing needs no vocabulary."""
        return self

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """A sparse matrix of a row a text and a column a bucket."""
        shape = (len(texts), ngrams.COLUMNS)
        if not len(texts):
            return csr_matrix(shape)
        found = ngrams.words(texts)
        lengths = np.diff(2 * found.marks)
        rows, columns = [np.repeat(np.arange(len(texts)), lengths)], [ngrams.buckets(found)]
        begins = found.starts.take(found.marks)
        for run in ngrams.run_buckets(found):
            places = np.flatnonzero(run)
            rows.append(np.searchsorted(begins, places, side="right") - 1)
            columns.append(run[places].astype(np.intp) + ngrams.BUCKETS)
        row = np.concatenate(rows)
        return csr_matrix(((1 / np.sqrt(lengths))[row], (row, np.concatenate(columns))), shape=shape)

    def __sklearn_tags__(self) -> object:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags


class Rarity(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Multiplies each column by a power of its inverse document frequency, and the runs' columns by a share of it.

    The inverse document frequency is scikit-learn's smooth one, log((1 + rows) / (1 + rows with it)) + 1 (Sparck Jones
    1972). A linear model with a penalty on its weights is thereby readier to learn from what is rare.
    """

    def __init__(self, power: float = 2.0, runs: float = 0.15) -> None:
        self.power = power
        self.runs = runs

    def fit(self, counts: csr_matrix, y: Sequence[int] | None = None) -> Self:  # noqa: ARG002
        """Learn how many rows have each column."""
        counts = csr_matrix(validate_data(self, counts, accept_sparse="csr"))
        rows, columns = counts.shape
        having = np.bincount(counts.indices[counts.data != 0], minlength=columns)
        self.scale_ = (np.log((1 + rows) / (1 + having)) + 1) ** self.power
        self.scale_[ngrams.BUCKETS :] *= self.runs
        return self

    def transform(self, counts: csr_matrix) -> csr_matrix:
        """The scaled counts, sparse or not as they came."""
        check_is_fitted(self)
        return validate_data(self, counts, accept_sparse="csr", reset=False) @ diags(self.scale_)

    def __sklearn_tags__(self) -> object:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
