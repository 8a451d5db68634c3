"""Contracts of the data reader: samples brought to one frequency, in batches."""
