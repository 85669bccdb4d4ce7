"""The chart: five value files, each rendered, held against schemas, Kubernetes' own code and the program's settings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from deploy_tools import CHART, Run
from jsonschema import Draft202012Validator

from agents.worker import STOP_WITHIN_S
from pipeline import settings
from pipeline.access import ACCESS
from pipeline.topics import TOPICS

VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
FIVE = ["default", "everything", "ha-tls", "small", "without-strimzi"]
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
CORE = {"v1", "apps/v1", "batch/v1", "policy/v1", "networking.k8s.io/v1"}
KUBERNETES = "1.33"


def _objects(rendered: Path, name: str) -> list[dict[str, Any]]:
    text = (rendered / f"{name}.yaml").read_text(encoding="utf-8")
    return [one for one in yaml.safe_load_all(text) if one]


def _of(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def _pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in objects:
        if one["kind"] in ("StatefulSet", "Job"):
            yield one["spec"]["template"]["spec"]
        elif one["kind"] == "Pod":
            yield one["spec"]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_lint_is_silent(values: Path, helm: Run) -> None:
    """Strictly."""
    found = helm("lint", CHART, "--strict", "--values", values)

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", FIVE)
def test_core_kinds_are_valid(name: str, rendered: Path) -> None:
    """By Kubernetes' schemas, unknown fields refused."""
    core = [one for one in _objects(rendered, name) if one["apiVersion"] in CORE]

    for one in core:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)

    assert len(core) > 6


def test_pods_are_restricted_and_objects_of_their_types(rendered: Path, podsecurity_test: Run) -> None:
    """Kubernetes' own evaluator and types, the Prometheus operator's types."""
    found = podsecurity_test("-test.v", env={**os.environ, "RENDERED": str(rendered)})

    assert found.returncode == 0, found.stdout + found.stderr
    assert 3 == found.stdout.count("--- PASS")


def test_scaled_objects_are_of_kedas_types(rendered: Path, keda_test: Run) -> None:
    """And never scale to nothing."""
    found = keda_test("-test.v", env={**os.environ, "RENDERED": str(rendered)})

    assert found.returncode == 0, found.stdout + found.stderr
    assert "--- PASS" in found.stdout


def _strict(schema: Any) -> Any:
    """A schema that refuses what it does not name, where Kubernetes would drop it without a word."""
    if not isinstance(schema, dict):
        return schema
    named = {key: _strict(part) for key, part in schema.get("properties", {}).items()}
    items = {"items": _strict(schema["items"])} if "items" in schema else {}
    return {**schema, **items, **({"properties": named, "additionalProperties": False} if named else {})}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in FIVE for kind in ("KafkaTopic", "KafkaUser")])
def test_strimzis_objects_are_of_its_types(name: str, kind: str, rendered: Path, strimzi: Path) -> None:
    """By the schemas of its own generator, unknown fields refused; where the values ask for such objects."""
    [version] = yaml.safe_load((strimzi / f"{kind}.yaml").read_text(encoding="utf-8"))["spec"]["versions"]
    schema = Draft202012Validator(_strict(version["schema"]["openAPIV3Schema"]))
    found = _of(_objects(rendered, name), kind)

    assert [] == [error.message for one in found.values() for error in schema.iter_errors(one)]
    assert {f"kafka.strimzi.io/{version['name']}"} >= {one["apiVersion"] for one in found.values()}
    assert bool(found) == (name == "everything")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("settings.brandz=x", "brandz"),
        ("settings.kafka.sasl_password=x", "sasl_password"),
        ("components.triage.replicaz=2", "replicaz"),
        ("components.triagee.enabled=true", "triagee"),
        ("components.triage.scaling.min=0", "min"),
        ("fullnameOverride=Care", "fullnameOverride"),
        ("replicas=2", "replicas"),
        ("image.digest=abc", "digest"),
        ("prometheusRule.runbookBaseUrl=runbooks", "runbookBaseUrl"),
    ],
)
def test_what_is_not_known_or_secret_is_refused(wrong: str, says: str, helm: Run) -> None:
    """By the schema, with the name of what is wrong."""
    found = helm("template", CHART, "--set", wrong)

    assert found.returncode != 0
    assert says in found.stderr


X = "x.existingSecret=x"
USERS = ["strimzi.users.enabled=true", "settings.kafka.security_protocol=SASL_SSL"]
OWN = [
    "settings.kafka.security_protocol=SASL_SSL",
    *(
        f"components.{name}.kafka.{key}={name}"
        for name in ("triage", "responses")
        for key in ("existingSecret", "username")
    ),
]
"""Each program has its own user, and there is none for all."""


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["components.triage.replicas=13"], "no more workers than partitions"),
        (["keda.enabled=true,components.triage.scaling.max=13"], "no more workers than partitions"),
        (["components.listener.enabled=true"], "x.existingSecret"),
        (["settings.kafka.security_protocol=SASL_SSL"], "kafka.existingSecret"),
        (["keda.enabled=true,components.triage.scaling.min=9"], "not more at least than at most"),
        ([f"fullnameOverride={'a' * 40},components.{'b' * 12}.command={{report}}"], "longer than 52"),
        ([X, "components.listener.enabled=true,settings.listener.spill.bytes=9000000000"], "the kubelet would end"),
        (["strimzi.users.enabled=true"], "passwords want SASL_SSL"),
        ([*USERS, "strimzi.users.type=tls"], "certificates want SSL"),
        ([*USERS, "strimzi.namespace=kafka"], "copy them"),
        ([*USERS, "components.more.command={report}"], "no rights are known for components.more"),
        ([*OWN, "keda.enabled=true"], "keda.existingSecret"),
        ([*OWN, "topicsJob.enabled=true"], "topicsJob.existingSecret"),
        (["settings.kafka.security_protocol=SASL_SSL", "kafka.existingSecret=s"], "kafka.username"),
    ],
)
def test_what_cannot_work_is_refused(wrong: list[str], says: str, helm: Run) -> None:
    """With what to do."""
    found = helm("template", CHART, *(part for one in wrong for part in ("--set", one)))

    assert found.returncode != 0
    assert says in found.stderr


def test_every_value_has_its_words() -> None:
    """Line by line; a section's values may speak for it."""
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    silent = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"\s*\w+: ?[^ ]", line)
        and not before.strip().startswith("#")
        and "requests:" not in line
        and "limits:" not in line
    ]

    assert silent == []


def test_pods_get_no_token_and_write_nowhere_but_tmp(rendered: Path) -> None:
    """Read-only root, no service account token, secrets as files."""
    for name in FIVE:
        for pod in _pods(_objects(rendered, name)):
            [container] = pod["containers"]
            assert pod["automountServiceAccountToken"] is False
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert ["/tmp"] == [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
            assert not [one for one in container["env"] if "secretKeyRef" in one.get("valueFrom", {})]


def test_a_further_program_is_its_command(helm: Run) -> None:
    """All else is as of a plain program."""
    found = helm("template", "care", CHART, "--set", "components.more.command={report,-}")

    more = _of(list(yaml.safe_load_all(found.stdout)), "StatefulSet")["care-tweet-triage-more"]
    [pod] = _pods([more])
    assert (1, ["report", "-"]) == (more["spec"]["replicas"], pod["containers"][0]["args"])


def test_certificates_of_users_are_shown(helm: Run) -> None:
    """A user of Strimzi's with a certificate is nothing without it."""
    found = helm("template", CHART, "--set", "strimzi.users.enabled=true,strimzi.users.type=tls")

    for pod in _pods(list(yaml.safe_load_all(found.stdout))):
        assert "TRIAGE_KAFKA__SSL_CERTFILE" in {one["name"] for one in pod["containers"][0]["env"]}


def test_a_call_that_takes_long_may_end(helm: Run) -> None:
    """The poster's pod has time for the call that settings allow."""
    wanted = f"{X},components.poster.enabled=true,settings.poster.call_timeout_s=120"
    found = helm("template", "care", CHART, "--set", wanted)

    poster = next(
        pod for pod in _pods(list(yaml.safe_load_all(found.stdout))) if pod["containers"][0]["name"] == "poster"
    )
    assert 150 == poster["terminationGracePeriodSeconds"]


def test_a_pod_has_time_to_drain(rendered: Path) -> None:
    """Longer than the program takes at most to stop."""
    for name, one in DEFAULTS["components"].items():
        assert one["drainSeconds"] >= STOP_WITHIN_S, name
    for one in _of(_objects(rendered, "everything"), "StatefulSet").values():
        component = one["metadata"]["labels"]["app.kubernetes.io/component"]
        grace = one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace > DEFAULTS["components"][component]["drainSeconds"]


@pytest.mark.parametrize("name", FIVE)
def test_the_program_takes_its_settings(
    name: str, rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file and the variables of every pod make settings that hold."""
    objects = _objects(rendered, name)
    file = tmp_path / "settings.yaml"
    config = next(one for one in objects if one["kind"] == "ConfigMap" and "settings.yaml" in one["data"])
    file.write_text(config["data"]["settings.yaml"], encoding="utf-8")
    for pod in _pods(objects):
        with monkeypatch.context() as patch:
            for one in pod["containers"][0]["env"]:
                patch.setenv(one["name"], one.get("value", "pod-0"))
            found = settings.load(file)
        assert found.topics.partitions in (3, 12)


def test_static_members_are_named_by_their_pods(rendered: Path) -> None:
    """A restarted pod gets its partitions back."""
    sets = _of(_objects(rendered, "everything"), "StatefulSet")
    named = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]
        for one in sets.values()
        for variable in one["spec"]["template"]["spec"]["containers"][0]["env"]
        if variable["name"] == "TRIAGE_WORKER__INSTANCE_ID"
        and variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    }

    assert {"triage", "responses"} == named
    assert 4 == len(sets)


def test_topics_are_those_of_the_table(rendered: Path) -> None:
    """A KafkaTopic each, with the table's partitions and configuration."""
    made = {
        one["spec"]["topicName"]: one["spec"] for one in _of(_objects(rendered, "everything"), "KafkaTopic").values()
    }

    assert {f"care.{topic.name}" for topic in TOPICS} == set(made)
    for topic in TOPICS:
        spec = made[f"care.{topic.name}"]
        assert (topic.partitions or 12) == spec["partitions"]
        assert {**topic.config(), "min.insync.replicas": "2"} == spec["config"]


def test_users_may_what_the_table_says(rendered: Path) -> None:
    """A KafkaUser a principal; nobody may alter or delete, none but the operator create."""
    users = _of(_objects(rendered, "everything"), "KafkaUser")

    assert {f"care-tweet-triage-{one.name}" for one in ACCESS} == set(users)
    for one in ACCESS:
        acls = users[f"care-tweet-triage-{one.name}"]["spec"]["authorization"]["acls"]
        may = {(acl["resource"]["name"], operation) for acl in acls for operation in acl["operations"]}
        topics = {acl["resource"]["name"] for acl in acls if acl["resource"]["type"] == "topic"}
        assert {f"care.{name}" for name in one.reads} == {name for name, did in may if did == "Read" and name in topics}
        assert {f"care.{name}" for name in one.writes} == {name for name, did in may if did == "Write"}
        assert one.creates == any(did == "Create" for _, did in may)
        assert not {did for _, did in may} & {"All", "Alter", "Delete", "ClusterAction"}


def test_groups_are_named_as_the_programs_name_them(rendered: Path) -> None:
    """The listener's with the topics' prefix, the others without."""
    users = _of(_objects(rendered, "everything"), "KafkaUser")
    groups = {
        name.removeprefix("care-tweet-triage-"): [
            acl["resource"]["name"]
            for acl in user["spec"]["authorization"]["acls"]
            if acl["resource"]["type"] == "group"
        ]
        for name, user in users.items()
    }

    assert groups == {
        "triage": ["triage"],
        "responses": ["responses"],
        "listener": ["care.listener"],
        "poster": ["poster"],
        "helpdesk": ["helpdesk"],
        "operator": [],
        "scaler": ["triage", "responses"],
    }


def test_rules_are_those_of_what_runs(rendered: Path) -> None:
    """No alert about what is not there or not wanted; numbers, namespace and runbooks as the values say."""

    def alerts(name: str) -> dict[str, dict[str, Any]]:
        [rule] = _of(_objects(rendered, name), "PrometheusRule").values()
        return {one["alert"]: one for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one}

    everything, without_poster = alerts("everything"), alerts("without-strimzi")

    assert {"TriagePosterIdle"} == {"TriageCost", "TriagePosterIdle"} & set(everything)
    assert {"TriageCost"} == {"TriageCost", "TriagePosterIdle"} & set(without_poster)
    assert "https://docs.care.test/runbooks/TriageLag.md" == everything["TriageLag"]["annotations"]["runbook_url"]
    assert {"severity", "team", "component", "cluster"} == set(everything["TriageLag"]["labels"])
    assert everything["TriageBacklog"]["expr"].endswith("> 5")
    assert without_poster["TriageBacklog"]["expr"].endswith('triage_waiting{namespace="care"}) > 3')
    for name in FIVE:
        assert "__" not in re.sub(
            r"TRIAGE_[A-Z]+__|__rate_interval|__all|__meta_\w+", "", (rendered / f"{name}.yaml").read_text()
        )


def test_rendered_rules_are_good_rules(rendered: Path, promtool: Run, tmp_path: Path) -> None:
    """As a file of rules, what the chart made of them is taken by promtool."""
    [rule] = _of(_objects(rendered, "everything"), "PrometheusRule").values()
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rule["spec"]["groups"]}), encoding="utf-8")

    found = promtool("check", "rules", path)

    assert found.returncode == 0, found.stdout + found.stderr


def test_dashboards_are_found_by_the_sidecar(rendered: Path) -> None:
    """Three, with its label."""
    found = [
        one
        for one in _of(_objects(rendered, "everything"), "ConfigMap").values()
        if one["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]

    assert 3 == len(found)
    assert {"tweet-triage"} == {one["metadata"]["annotations"]["grafana_folder"] for one in found}


def test_by_default_nothing_needs_an_operator(rendered: Path) -> None:
    """Objects of others stand behind switches."""
    assert {one["apiVersion"] for one in _objects(rendered, "default")} <= CORE


def test_another_program_needs_a_command_only(helm: Run, tmp_path: Path) -> None:
    """There is room for more: incidents, with all that triage has."""
    one = {**DEFAULTS["components"]["triage"], "command": ["incidents"], "scaling": {"enabled": False}}
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"components": {"incidents": one}}), encoding="utf-8")

    found = helm("template", "care", CHART, "--values", values)

    sets = [one for one in yaml.safe_load_all(found.stdout) if one and one["kind"] == "StatefulSet"]
    assert ["incidents"] in [one["spec"]["template"]["spec"]["containers"][0]["args"] for one in sets]


def test_notes_say_what_to_do_next(helm: Run) -> None:
    """The topics to be made, the brands to be named, where to look."""
    found = helm("install", "care", CHART, "--dry-run=client", "--namespace", "care")

    notes = found.stdout.partition("NOTES:")[2]
    assert found.returncode == 0, found.stderr
    assert all(word in notes for word in ("triage topics create", "settings.brands", "helm test", "podMonitor.enabled"))


def test_the_example_of_the_readme_works(helm: Run, tmp_path: Path) -> None:
    """What people copy first."""
    page = (CHART.parents[1] / "README.md").read_text(encoding="utf-8")
    values = tmp_path / "values.yaml"
    values.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")

    found = helm("template", "care", CHART, "--values", values)

    kinds = [one["kind"] for one in yaml.safe_load_all(found.stdout) if one]
    assert 4 == kinds.count("StatefulSet")
    assert 6 == kinds.count("KafkaUser") + kinds.count("PodMonitor") + kinds.count("PrometheusRule")


def test_keda_finds_the_brokers_from_its_own_namespace(rendered: Path) -> None:
    """A name without a dot is one of the pods' namespace, and means nothing in KEDA's."""
    asked = {
        name: {
            trigger["metadata"]["bootstrapServers"]
            for one in _of(_objects(rendered, name), "ScaledObject").values()
            for trigger in one["spec"]["triggers"]
        }
        for name in ("everything", "without-strimzi")
    }

    assert {"kafka-kafka-bootstrap.care.svc:9093"} == asked["everything"]
    assert {"broker.example:9094"} == asked["without-strimzi"]


def test_topics_are_looked_at_by_who_may(helm: Run) -> None:
    """Where no user is named for it there is no `helm test`, which could only fail."""
    found = helm("template", "care", CHART, *(part for one in OWN for part in ("--set", one)))

    assert 0 == found.returncode, found.stderr
    assert not _of([one for one in yaml.safe_load_all(found.stdout) if one], "Pod")
