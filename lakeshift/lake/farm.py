"""FarmHash Fingerprint64 of texts, which BigQuery and Redshift have too.

https://github.com/google/farmhash (farmhashna::Hash64, fixed forever),
https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions#farm_fingerprint,
https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from lakeshift.lake import kernel, layout

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

NULL_FINGERPRINT = -7_046_029_254_386_353_131
"""What stands for NULL, which has no text: 2^64 divided by the golden ratio, as a signed number."""

Fingerprints: TypeAlias = "npt.NDArray[np.int64]"


def fingerprints(array: pa.Array) -> Fingerprints:
    """One fingerprint for each text or binary value, signed as SQL has them; NULL_FINGERPRINT for NULL."""
    return kernel.fingerprint_texts(layout.plain(array), NULL_FINGERPRINT)
