"""Conversion of schemas and SQL text for Redshift: what is accepted is right, the rest is refused by name."""
