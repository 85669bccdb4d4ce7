"""What we ask X for: what pipeline/wire.py reads, and no more, since X charges for what it expands."""

from __future__ import annotations

_POST = (
    "attachments", "author_id", "conversation_id", "created_at", "edit_history_tweet_ids", "entities",
    "in_reply_to_user_id", "lang", "note_tweet", "referenced_tweets",
)  # fmt: skip
_USER = ["name", "profile_image_url", "public_metrics", "username", "verified"]

POSTS = {
    "tweet_fields": list(_POST),
    "user_fields": _USER,
    "media_fields": ["alt_text", "preview_image_url", "type", "url"],
    "expansions": ["author_id", "referenced_tweets.id", "attachments.media_keys"],
}
"""Of a post, in tweepy's names."""

USERS = {"user_fields": _USER}
"""Of an account."""

MESSAGES = {
    "dm_event_fields": [
        "created_at", "dm_conversation_id", "event_type", "id", "participant_ids", "sender_id", "text",
    ],
    "user_fields": ["username"],
    "expansions": ["sender_id", "participant_ids"],
}  # fmt: skip
"""Of a private message."""
