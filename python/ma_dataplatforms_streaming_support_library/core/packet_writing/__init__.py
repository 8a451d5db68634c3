"""The packet writer service."""
