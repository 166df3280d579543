"""What a server takes on, and for how long."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class ServerSettings:
    """Limits of a server. Together they bound its memory, whatever is sent.

    Attributes:
        max_file_bytes: Largest file of a picture.
        max_pixels: Largest picture, width times height; told by its header, before it is decoded.
        max_requests: So many requests are inside at once: being received, waiting or being read. One more is
            refused (429).
        max_batch: Largest number of pictures that the model gets at once.
        max_wait_s: How long a batch waits for pictures that are on their way; nothing waits where none is.
        timeout_s: How long a picture that has come may take until it is read, waiting included (504).
        upload_timeout_s: How long the sending of a picture may take (408).
        decoders: Threads that decode pictures and write results.

    Raises:
        ValueError: For a limit that lets nothing through.
    """

    max_file_bytes: int = 20 * 2**20
    max_pixels: int = 50_000_000
    max_requests: int = 32
    max_batch: int = 4
    max_wait_s: float = 0.02
    timeout_s: float = 60.0
    upload_timeout_s: float = 20.0
    decoders: int = 2

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "max_wait_s":
                if value < 0:
                    raise ValueError(f"`max_wait_s` must be 0 or more seconds: got {value}.")
            elif value <= 0:
                raise ValueError(f"`{field.name}` must be larger than 0: got {value}.")
