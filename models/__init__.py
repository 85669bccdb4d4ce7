"""The learned part: features, classifier, training; the only package that imports scikit-learn."""
