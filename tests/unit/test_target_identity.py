"""Who the warehouse's user is: the config's word, else the stage's, and never a mixture of two."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lakeshift.check.step import with_defaults
from lakeshift.errors import ConfigInvalid
from lakeshift.ports import Defaults
from lakeshift.spec import Migration, read

STAGE = Defaults(30, True, "role", "dev", "", "", "secret")


def config(**target: Any) -> Migration:
    source = {"type": "bigquery", "project": "p", "datasets": [{"name": "shop"}]}
    return read(json.dumps({"sources": [source], "target": target}).encode())


@pytest.mark.parametrize(
    ("target", "stage", "found"),
    [
        ({}, {"workgroup": "wgr"}, (None, None)),
        ({}, {"workgroup": "wgr", "target_secret": "s"}, ("s", None)),
        ({}, {"workgroup": "wgr", "target_user": "u"}, (None, None)),
        ({}, {"cluster": "c", "target_user": "u"}, (None, "u")),
        ({}, {"cluster": "c", "target_user": "u", "target_secret": "s"}, ("s", None)),
        ({"cluster": "other"}, {"cluster": "c", "target_user": "u", "target_secret": "s"}, (None, None)),
        ({"cluster": "other", "dbUser": "me"}, {"cluster": "c", "target_secret": "s"}, (None, "me")),
        ({"secret": "mine"}, {"cluster": "c", "target_user": "u"}, ("mine", None)),
    ],
)
def test_who_is_asked_for(target: dict[str, Any], stage: dict[str, Any], found: tuple[str | None, str | None]) -> None:
    made = with_defaults(config(**target), replace(STAGE, **stage)).target
    assert (made.secret, made.db_user) == found


@pytest.mark.parametrize("target", [{"dbUser": "u", "secret": "s"}, {"dbUser": "u", "workgroup": "wgr"}])
def test_two_identities_are_a_bad_config(target: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid, match="dbUser"):
        config(**target)


def test_the_lake_is_shown_unless_a_config_says_otherwise() -> None:
    assert config().lake.catalog
    source = {"type": "bigquery", "project": "p", "datasets": [{"name": "shop"}]}
    assert not read(json.dumps({"sources": [source], "lake": {"catalog": False}}).encode()).lake.catalog
