"""No test reaches a real account: credentials are dummies and region is fixed before any SDK is made."""

from __future__ import annotations

import os

for _name in [name for name in os.environ if name.startswith(("AWS_", "LAKESHIFT_", "BIGQUERY_", "GOOGLE_"))]:
    del os.environ[_name]
os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1")  # noqa: S106

# The CDK's Node bridge prints a banner about Node 20 otherwise.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

from hypothesis import settings  # noqa: E402

settings.register_profile("lakeshift", deadline=None)
settings.load_profile("lakeshift")
