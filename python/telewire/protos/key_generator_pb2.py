"""The messages of the key generator: `ma.streaming.key_generator.v1`."""

from telewire.protos._pool import contents

globals().update(contents("ma/streaming/key_generator/v1/key_generator.proto", __name__))
