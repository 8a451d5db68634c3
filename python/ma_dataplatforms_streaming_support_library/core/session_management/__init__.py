"""The session management service."""
