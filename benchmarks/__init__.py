"""Side by side with the peers, in one run: the same posts in, the same records out."""
