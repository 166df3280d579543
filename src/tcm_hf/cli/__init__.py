"""The command line `tcm-hf`, one verb a file."""
