"""The drill: a real Prometheus watches the running programs, each fault is made, its alert must fire and end."""
