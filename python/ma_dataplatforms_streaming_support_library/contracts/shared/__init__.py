"""Contracts that all services share: configuration, results, handlers, life cycle."""
