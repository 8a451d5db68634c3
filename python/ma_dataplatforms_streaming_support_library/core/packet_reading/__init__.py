"""The packet reader service."""
