"""The peers, each as one would write it."""
