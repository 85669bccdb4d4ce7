"""What can be written to the fake X: posts, private messages, rules."""

from __future__ import annotations

from typing import Any

from agents.fake_x_asked import PROBLEMS, Asked, Refused, Said, Site, invalid, is_number
from agents.fake_x_posts import User, post_json, rfc3339
from agents.fake_x_rules import BadRule, compile_rule
from agents.fake_x_world import World
from pipeline.counting import cashtags, length

_RULE = 1024
_RULES = 1000
_LENGTH = 280
_MESSAGE = 10_000


def create(site: Site, asked: Asked) -> Said:
    """POST /2/tweets."""
    text = asked.body.get("text")
    reply_to = _answered(asked.body.get("reply"))
    if not isinstance(text, str) or not text.strip():
        raise invalid("One of `text` or `media` is needed")
    if cashtags(text) > 1:
        raise invalid("A post may have one cashtag")
    if length(text) > _LENGTH:
        raise invalid("Your Tweet text is too long. For more information on how we determine text length see X's docs.")
    assert asked.user is not None
    with site.world.lock:
        if reply_to is not None:
            text = _addressed(site.world, text, reply_to, asked.user)
        if site.world.has_already(asked.user, text):
            raise Refused(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
        post = site.world.publish(text, author=asked.user, reply_to=reply_to, by_api=True)
    said = {"id": post.id, "text": post_json(post, frozenset())["text"], "edit_history_tweet_ids": [post.id]}
    return Said(201, {"data": said})


def _answered(reply: object) -> str | None:
    """The post that is answered, of the body's `reply`."""
    if reply is None:
        return None
    to = reply.get("in_reply_to_tweet_id") if isinstance(reply, dict) else None
    if not isinstance(to, str) or not is_number(to):
        raise invalid("`reply` is an object with `in_reply_to_tweet_id`, which is an id")
    return to


def _addressed(world: World, text: str, reply_to: str, by: User) -> str:
    """A reply's text as X keeps it: it puts whom it answers before it, and hides that in its app."""
    parent = world.posts.get(reply_to)
    if parent is None or parent.gone:
        raise Refused(403, "Forbidden", "You attempted to reply to a Tweet that is deleted or not visible to you.")
    handle = f"@{parent.author.handle}"
    return text if parent.author.id == by.id or text.lower().startswith(handle.lower()) else f"{handle} {text}"


def create_dm(site: Site, asked: Asked) -> Said:
    """POST /2/dm_conversations/with/:participant_id/messages."""
    text, to = asked.body.get("text"), site.world.user_by_id(asked.part)
    if not isinstance(text, str) or not text.strip() or len(text) > _MESSAGE:
        raise invalid("The `text` has 1 to 10,000 characters")
    if to is None:
        raise Refused(403, "Forbidden", "You cannot send messages to this user.")
    assert asked.user is not None
    message = site.world.send_dm(asked.user, to, text)
    people = "-".join(sorted((asked.user.id, to.id), key=int))
    return Said(201, {"data": {"dm_conversation_id": people, "dm_event_id": message.id}})


def get_rules(site: Site, asked: Asked) -> Said:
    """GET /2/tweets/search/stream/rules."""
    wanted = set(filter(None, asked.query.get("ids", "").split(",")))
    with site.world.lock:
        held = list(site.world.rules.values())
    rules = [_rule_json(rule.id, rule.value, rule.tag) for rule in held if not wanted or rule.id in wanted]
    meta = {"sent": rfc3339(site.clock.now()), "result_count": len(rules)}
    return Said(200, {"data": rules, "meta": meta} if rules else {"meta": meta})


def _rule_json(identity: str, value: str, tag: str | None) -> dict[str, Any]:
    return {"id": identity, "value": value, **({"tag": tag} if tag else {})}


def post_rules(site: Site, asked: Asked) -> Said:
    """POST /2/tweets/search/stream/rules: add or delete."""
    adding, deleting = asked.body.get("add"), asked.body.get("delete")
    dry = asked.query.get("dry_run") == "true"
    if isinstance(adding, list) and adding and deleting is None:
        return _add_rules(site, adding, dry=dry)
    ids = deleting.get("ids") if isinstance(deleting, dict) else None
    if not isinstance(ids, list) or not ids or adding is not None:
        raise invalid("Give `add` with rules, or `delete` with `ids`")
    deleted = sum(str(one) in site.world.rules if dry else site.world.delete_rule(str(one)) for one in ids)
    summary = {"deleted": deleted, "not_deleted": len(ids) - deleted}
    said: dict[str, Any] = {"meta": {"sent": rfc3339(site.clock.now()), "summary": summary}}
    if deleted < len(ids):
        said["errors"] = [{"title": "Invalid Request", "detail": "One or more rule ids do not exist"}]
    return Said(200, said)


def _add_rules(site: Site, adding: list[Any], *, dry: bool) -> Said:
    created, errors = [], []
    for one in adding:
        value, tag = (one.get("value"), one.get("tag")) if isinstance(one, dict) else (None, None)
        if (problem := _rule_problem(site.world, value, tag)) is not None:
            errors.append(problem)
        elif not dry:
            rule = site.world.add_rule(str(value), tag)
            created.append(_rule_json(rule.id, rule.value, rule.tag))
    fine = len(adding) - len(errors)
    summary = {"created": fine, "not_created": len(errors), "valid": fine, "invalid": len(errors)}
    said: dict[str, Any] = {"meta": {"sent": rfc3339(site.clock.now()), "summary": summary}}
    if created:
        said["data"] = created
    if errors:
        said["errors"] = errors
    return Said(201, said)


def _rule_problem(world: World, value: object, tag: object) -> dict[str, Any] | None:
    if not isinstance(value, str) or not value.strip():
        return {"title": "Invalid Rule", "details": ["a rule needs a value"], "type": PROBLEMS + "invalid-rules"}
    for rule in list(world.rules.values()):
        if rule.value == value:
            return {"value": value, "id": rule.id, "title": "DuplicateRule", "type": PROBLEMS + "duplicate-rules"}
    if len(world.rules) >= _RULES:
        return {"value": value, "title": "RulesCapExceeded", "type": PROBLEMS + "rule-cap"}
    if tag is not None and not isinstance(tag, str):
        return {
            "value": value,
            "title": "Invalid Rule",
            "details": ["a tag is a text"],
            "type": PROBLEMS + "invalid-rules",
        }
    try:
        compile_rule(value)
        why = f"the rule has {len(value)} characters, at most {_RULE}" if len(value) > _RULE else ""
    except BadRule as error:
        why = str(error)
    return (
        {"value": value, "details": [why], "title": "UnprocessableEntity", "type": PROBLEMS + "invalid-rules"}
        if why
        else None
    )
