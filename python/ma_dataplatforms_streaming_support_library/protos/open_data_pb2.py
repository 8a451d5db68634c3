"""The packets: messages and enums of `ma.streaming.open_data.v1`, the very classes of telewire."""

from telewire.protos import open_data_pb2 as _messages

globals().update({name: value for name, value in vars(_messages).items() if not name.startswith("_")})
