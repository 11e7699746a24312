"""All resource types by name."""

from __future__ import annotations

from collections.abc import Mapping

from localcloud.aws.resources import compute, identity, messaging, observability, storage
from localcloud.aws.resources.model import ResourceType

REGISTRY: Mapping[str, ResourceType] = {
    each.name: each for module in (compute, identity, messaging, observability, storage) for each in module.TYPES
}
