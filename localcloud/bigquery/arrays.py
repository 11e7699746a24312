"""Arrow arrays taken apart."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def list_parts(array: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Offsets from 0 and the flat values of a list or map; NULL counts as empty, as BigQuery stores it."""
    if pa.types.is_map(array.type):
        array = _as_list(array)
    lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int32())
    return pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)]), array.flatten()


def _as_list(array: pa.MapArray) -> pa.ListArray:
    fields = [array.type.key_field, array.type.item_field]
    entries = pa.StructArray.from_arrays([array.keys, array.items], fields=fields)
    kind = pa.list_(pa.struct(fields))
    return pa.Array.from_buffers(kind, len(array), array.buffers()[:2], offset=array.offset, children=[entries])


def without_extensions(array: pa.Array) -> pa.Array:
    """The array with the storage of its extension types, at any depth; Arrow cannot flatten lists of extensions."""
    if isinstance(array, pa.ExtensionArray):
        return without_extensions(array.storage)
    if pa.types.is_list(array.type):
        values = without_extensions(array.values)
        return pa.ListArray.from_arrays(array.offsets, values, mask=array.is_null())
    if pa.types.is_struct(array.type) and array.type.num_fields:
        parts = [without_extensions(array.field(i)) for i in range(array.type.num_fields)]
        return pa.StructArray.from_arrays(parts, names=[f.name for f in array.type], mask=array.is_null())
    return array
