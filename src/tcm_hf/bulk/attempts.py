"""Pictures that kill the process which reads them, found by what the dead have left."""

import json

from tcm_hf.bulk.locations import Location

# One death may have other causes: a run that is killed dies in the middle of a row, too.
_DEATHS = 2


class Attempt:
    """One try at a part. A file says that it is going on, and is gone when it has come to its end.

    Where such a file is found, a worker died: then rows are done one by one, each noted in the file before it
    begins. A row at which workers have died twice is left out from then on.

    Args:
        location: The folder of results.
        name: Of the file.

    Attributes:
        is_first: Whether no worker has died over this part yet.
    """

    def __init__(self, location: Location, name: str):
        self._location = location
        self._name = name
        self._deaths: dict[str, int] = {}
        self.is_first = location.kind(name).name == "NotFound"
        if not self.is_first:
            left = json.loads(location.read(name))
            self._deaths = left["deaths"]
            if left["row"] is not None:
                row = str(left["row"])
                self._deaths[row] = self._deaths.get(row, 0) + 1
        self.reach(None)

    def is_deadly(self, place: int) -> bool:
        """Whether a row, by its place in the slice, is left out."""
        return self._deaths.get(str(place), 0) >= _DEATHS

    def reach(self, place: int | None) -> None:
        """Note the row that is done now alone; `None` stands for no row alone."""
        left = {"row": place, "deaths": self._deaths}
        self._location.write_whole(self._name, json.dumps(left).encode())

    def end(self) -> None:
        """The part is written."""
        self._location.remove(self._name)
