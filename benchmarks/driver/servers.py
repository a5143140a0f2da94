"""All that can be measured, by the names rows use."""

from .confab import Confab
from .floors import Floor, FloorBare, FloorPost, FloorWalk
from .peers import Mosquitto, Nats, Nchan, Pushpin

SERVERS = {
    "floor": Floor,
    "floor_post": FloorPost,
    "floor_bare": FloorBare,
    "floor_walk": FloorWalk,
    "mosquitto": Mosquitto,
    "nchan": Nchan,
    "pushpin": Pushpin,
    "nats": Nats,
    "confab": Confab,
}


def of_role(names, role):
    return [name for name in names if SERVERS[name].role == role]
