"""Contracts of data formats: numbers that stand for lists of parameters, or for an event."""
