"""mkdocs' hook: pages are the files of the repository under the names they have there, so each link holds in both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
TAKEN = (
    "*.md",
    "LICENSE",
    "docs/**/*",
    "deploy/*",
    "deploy/runbooks/*",
    "deploy/prometheus/*.yaml",
    "deploy/helm/tweet-triage/*",
    "deploy/helm/tweet-triage/files/*.yaml",
    "models/*.md",
    "models/corpus/*.md",
    ".github/workflows/*",
)
"""The pages, and what they link to."""


def on_files(_: Files, config: Any) -> Files:
    """In place of what lies in docs_dir alone.

    Args:
        config: mkdocs' own; `site_dir` and `use_directory_urls` are taken from it.
    """
    found = sorted({path for pattern in TAKEN for path in ROOT.glob(pattern) if path.is_file()})
    return Files(
        [File(str(path.relative_to(ROOT)), str(ROOT), config.site_dir, config.use_directory_urls) for path in found]
    )
