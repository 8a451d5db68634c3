"""The data format management service."""
