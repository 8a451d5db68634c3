"""The services behind the contracts, built on the public classes of `telewire`."""
