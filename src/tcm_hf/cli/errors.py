"""What a verb raises when the user, and not the program, is to blame."""


class CommandError(Exception):
    """A mistake of the user: `main` prints its text as one line on stderr and ends with code 2."""
