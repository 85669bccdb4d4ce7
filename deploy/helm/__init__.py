"""The chart, and the code that makes its data from the project's tables."""
