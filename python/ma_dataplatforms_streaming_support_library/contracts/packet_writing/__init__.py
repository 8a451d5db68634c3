"""Contracts of writing packets."""
