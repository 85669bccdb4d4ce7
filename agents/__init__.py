"""The edge: what runs. It receives, calls the core, and sends; it decides nothing."""
