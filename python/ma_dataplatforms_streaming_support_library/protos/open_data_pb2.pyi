# The same classes: a value of one module is a value of the other, for type checkers too.
from telewire.protos.open_data_pb2 import *
from telewire.protos.open_data_pb2 import DESCRIPTOR as DESCRIPTOR
