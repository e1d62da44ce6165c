"""Numbers of the contacts: the order of their pins on the board, and the number of an edge in the queue."""

from pump.base.units import const

# The keys come first: `panel.keys` numbers its arrays by them.
START_KEY = const(0)
STOP_KEY = const(1)
ACK_KEY = const(2)
KEYS = const(3)  # number of keys

PCA_NO = const(3)  # pendant, normally open contact
PCA_NC = const(4)  # pendant, normally closed contact
DOOR = const(5)
SYRINGE = const(6)  # the syringe clamp
HOLD = const(7)  # interlock of a respiratory monitor
CONTACTS = const(8)  # number of contacts, keys included
