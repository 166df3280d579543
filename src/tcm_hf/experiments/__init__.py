"""The papers' experiments: many small trainings that differ in one thing, their table and their plot."""
