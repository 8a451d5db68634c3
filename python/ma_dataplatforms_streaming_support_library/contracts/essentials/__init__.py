"""Contracts of reading the essential packets of a session."""
