"""The gRPC messages of the Stream API: `ma.streaming.api.v1`."""

from telewire.protos._pool import contents

globals().update(contents("ma/streaming/api/v1/api.proto", __name__))
