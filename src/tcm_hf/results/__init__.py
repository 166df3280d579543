"""What a run gives: the record of an image, and the documents that records are rendered to."""
