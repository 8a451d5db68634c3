"""The sample reader service."""
