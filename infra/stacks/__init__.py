"""Thin stacks: they place constructs and pass references, nothing else."""
