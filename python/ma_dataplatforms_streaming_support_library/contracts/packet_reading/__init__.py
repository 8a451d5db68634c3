"""Contracts of reading packets."""
