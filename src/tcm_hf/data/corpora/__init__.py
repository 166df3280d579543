"""Annotated corpora by name: one small loader a corpus, one record type, one door (`loading`)."""
