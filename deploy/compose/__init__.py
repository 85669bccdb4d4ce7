"""The laptop: what deploy/compose.yaml mounts."""
