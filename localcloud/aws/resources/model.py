"""A resource type: which properties it has and how it is created, updated and deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.aws.api import Api

Props = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """A resource that exists: what Ref and GetAtt give, and the resolved properties it was made from."""

    physical_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResourceType:
    """How the twin handles one CloudFormation resource type.

    properties: what it acts on. inert: what it accepts although it changes nothing here; the README lists them.
    replace_on: properties whose change makes a new resource. attributes: what GetAtt may ask for.
    update: None means that every change makes a new resource.
    """

    name: str
    properties: frozenset[str]
    create: Callable[[Api, str, Props], Made]
    delete: Callable[[Api, Made, Props], None]
    update: Callable[[Api, Made, Props], Made] | None = None
    inert: frozenset[str] = frozenset()
    replace_on: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    name_property: str | None = None
    name_limit: int = 64


def names(text: str) -> frozenset[str]:
    """A set of names from a text with blanks."""
    return frozenset(text.split())


def pick(props: Props, *wanted: str) -> dict[str, Any]:
    """Those of the wanted properties that are there."""
    return {name: props[name] for name in wanted if name in props}


def document(value: Any) -> str:
    """A policy document as the API wants it: text."""
    return value if isinstance(value, str) else json.dumps(value)


def tag_map(props: Props) -> dict[str, str]:
    """Tags as a map, from CloudFormation's list or map."""
    tags = props.get("Tags", {})
    return dict(tags) if isinstance(tags, dict) else {tag["Key"]: str(tag["Value"]) for tag in tags}


def nothing(api: Api, made: Made, props: Props) -> None:
    """For resources that end together with the one they belong to."""
