"""Message classes of Open Streaming, for programs that build or read packets themselves.

`open_data_pb2` has the packets, `api_pb2` and `key_generator_pb2` the gRPC messages. They are real protobuf messages,
but live in a descriptor pool of their own, so that another copy of the same schema (quixstreams brings one) can be
loaded in the same process, before or after. What follows from that:

- A field for a duration or a time takes a `datetime.timedelta` or a timezone-aware `datetime.datetime`; a constructor
  takes a `dict` of the fields of any message, or a message of these modules.
- A message of another copy is refused, with a `TypeError` from most versions of protobuf; so is a `Duration` of
  `google.protobuf.duration_pb2`. Take the classes of `telewire.protos.well_known`, or go through bytes:
  `Packet.FromString(other.SerializeToString())`.
"""
