"""Finished pages in memory, so that a second read of the same rows costs no more than sending them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import pyarrow as pa


class PageCache:
    """The pages used last, up to a number of bytes."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._pages: OrderedDict[Hashable, pa.Buffer] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable, make: Callable[[], pa.Buffer]) -> pa.Buffer:
        """A page, made when it is not there; two callers may make the same page at once."""
        with self._lock:
            found = self._pages.get(key)
            if found is not None:
                self._pages.move_to_end(key)
                return found
        page = make()
        if page.size <= self._room:
            self._keep(key, page)
        return page

    def _keep(self, key: Hashable, page: pa.Buffer) -> None:
        with self._lock:
            if key in self._pages:
                return
            self._pages[key] = page
            self.bytes += page.size
            while self.bytes > self._room:
                _, oldest = self._pages.popitem(last=False)
                self.bytes -= oldest.size
