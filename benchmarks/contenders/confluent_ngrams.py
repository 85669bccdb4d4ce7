"""The hand-written loop again, its stock scikit-learn computing the n-grams that our model reads."""

from __future__ import annotations

import sys

from benchmarks.contenders.confluent_loop import main
from benchmarks.contenders.stock import StockClassifier

if __name__ == "__main__":
    main(sys.argv[1], StockClassifier(letters=True))
