"""Google's well-known types as the fields of these messages take them.

They have the methods of their namesakes in `google.protobuf` (`FromTimedelta`, `ToDatetime`, `Pack` and so on) and the
same bytes, but are classes of their own, as the package's text explains.
"""

from telewire.protos._pool import contents

Any = contents("google/protobuf/any.proto", __name__)["Any"]
Duration = contents("google/protobuf/duration.proto", __name__)["Duration"]
Timestamp = contents("google/protobuf/timestamp.proto", __name__)["Timestamp"]
