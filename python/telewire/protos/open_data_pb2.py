"""The packets: messages and enums of `ma.streaming.open_data.v1`."""

from telewire.protos._pool import contents

globals().update(contents("ma/streaming/open_data/v1/open_data.proto", __name__))
