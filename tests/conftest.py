"""No test reaches a real account: credentials are dummies and region is fixed before any SDK is made."""

from __future__ import annotations

import os

for _name in [name for name in os.environ if name.startswith(("AWS_", "LAKESHIFT_", "BIGQUERY_", "GOOGLE_"))]:
    del os.environ[_name]
os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1")  # noqa: S106

# The CDK's Node bridge prints a banner about Node 20 otherwise.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

import pytest  # noqa: E402
from _pytest.nodeid import NodeId  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("lakeshift", deadline=None)
settings.load_profile("lakeshift")

LONG = ("test_no_false_alarms.py", "test_glue_spark.py", "test_constant_memory.py")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests that are in no group come first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.path.name not in LONG)
    if config.getoption("loadgroup", default=False):
        for item in items:
            _name_group(item)


def _name_group(item: pytest.Item) -> None:
    """Put the group behind the test's id, where xdist looks for it; xdist 3.8 writes it to what pytest 9.2 ignores."""
    group = item.get_closest_marker("xdist_group")
    if group and "@" not in item.nodeid.rpartition("]")[2]:
        item._id = NodeId.parse(f"{item.nodeid}@{group.args[0]}")
