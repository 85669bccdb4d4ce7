"""Side by side with the peers: the same posts, the same record, one machine, one sitting."""
