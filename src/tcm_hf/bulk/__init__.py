"""Very many images on many processes: sources, plan, parts, and the run of both on Ray Data.

A row of a source belongs to one slice of the plan, and a slice is written as one part, whole or not at all;
docs/bulk.md tells why nothing is lost or done twice.
"""
