"""Handlers of the functions, a package each."""

import gc

# Clients and models come as half a million objects: walking through them again and again is an eighth of a cold start.
# `step` turns the collector on again.
gc.disable()
