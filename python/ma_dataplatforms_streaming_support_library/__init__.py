"""The Support Library."""
