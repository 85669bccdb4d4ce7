"""The fake X's Connections API: which streams are open, and how to end those that are stuck."""

from __future__ import annotations

from agents.fake_x_asked import Asked, Said, Site
from agents.fake_x_posts import rfc3339


def connections(site: Site, asked: Asked) -> Said:
    """GET /2/connections."""
    del asked
    found = [
        {"endpoint_name": "filtered_stream", "connected_at": rfc3339(stream.opened_at), "client_ip": "127.0.0.1"}
        for stream in site.faults.streams
    ]
    meta = {"result_count": len(found)}
    return Said(200, {"data": found, "meta": meta} if found else {"meta": meta})


def end_connections(site: Site, asked: Asked) -> Said:
    """DELETE /2/connections/all."""
    del asked
    ended = site.faults.end_all()
    return Said(200, {"data": {"successful_kills": ended, "failed_kills": 0}})
