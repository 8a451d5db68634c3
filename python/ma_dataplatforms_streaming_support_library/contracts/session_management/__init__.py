"""Contracts of creating, changing, ending and watching sessions."""
