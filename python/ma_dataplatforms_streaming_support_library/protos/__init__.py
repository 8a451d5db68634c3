"""The messages of the protocol, as generated modules have them."""
