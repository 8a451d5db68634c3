"""The essentials service."""
