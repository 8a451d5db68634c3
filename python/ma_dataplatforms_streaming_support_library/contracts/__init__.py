"""What programs see of the library: plain data classes, enumerations and interfaces; no threads, no Kafka."""
