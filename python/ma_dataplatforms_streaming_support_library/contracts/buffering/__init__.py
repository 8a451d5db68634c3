"""Contracts of the sample reader: samples out of packets, per parameter or per timestamp."""
