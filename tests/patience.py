"""How patient tests are: a machine that is slow, or busy with other tests, is no failure of what is tested."""

from __future__ import annotations

PATIENCE = 4.0
"""So many times the seconds that a test names it waits for what other processes and threads do."""
