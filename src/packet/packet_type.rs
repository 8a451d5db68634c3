//! The names that [`Envelope::type_name`](super::Envelope::type_name) may carry, and their historic spellings.

use std::fmt;

macro_rules! packet_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $(| $alias:literal)*;)*) => {
        /// What a packet's content is. Free types of users are [`PacketType::Other`] and pass through unopened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum PacketType {
            $($(#[$doc])* $variant,)*
            /// A type this library does not know.
            Other,
        }

        impl PacketType {
            /// Every known type, without [`PacketType::Other`].
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The name that is written; empty for [`PacketType::Other`], whose name only the packet knows.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "",
                }
            }

            fn exact(name: &str) -> Option<Self> {
                match name {
                    $($name $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

packet_types! {
    /// `NewSessionPacket`: a session begins.
    NewSession = "NewSession";
    /// `EndOfSessionPacket`: a session ends.
    EndOfSession = "EndOfSession";
    /// `SessionInfoPacket`: name, details and associates of a session.
    SessionInfo = "SessionInfo";
    /// `ConfigurationPacket`: parameters, events, groups.
    Configuration = "Configuration";
    /// `MetadataPacket`: free values.
    Metadata = "Metadata";
    /// `DataFormatDefinitionPacket`: a number for a list of identifiers.
    DataFormatDefinition = "DataFormatDefinition";
    /// `DataFormatConfigurationPacket`: several of them.
    DataFormatConfiguration = "DataFormatConfiguration";
    /// `PeriodicDataPacket`: samples at a constant rate.
    PeriodicData = "PeriodicData";
    /// `RowDataPacket`: samples at instants of their own.
    RowData = "RowData";
    /// `SynchroDataPacket`: samples at the same uneven instants.
    SynchroData = "SynchroData";
    /// `EventPacket`.
    Event = "Event" | "EventData";
    /// `MarkerPacket`: laps and notes.
    Marker = "Marker" | "MarkerData";
    /// `ErrorPacket`: fault codes.
    Error = "Error";
    /// `RawCANDataPacket`: one CAN frame.
    RawCanData = "RawCANData" | "RawCAN";
    /// `CoverageCursorInfoPacket`: how far the data is complete.
    CoverageCursorInfo = "CoverageCursorInfo";
    /// `AxisDataPacket`.
    AxisData = "AxisData";
    /// `MapDataPacket`.
    MapData = "MapData";
    /// `StreamStartedPacket`.
    StreamStarted = "StreamStarted";
    /// `StreamStoppedPacket`.
    StreamStopped = "StreamStopped";
    /// `SystemStatusMessage`.
    SystemStatusMessage = "SystemStatusMessage" | "SystemStatus";
}

impl PacketType {
    /// The type a name stands for: the canonical name, a known alias, or either with the ending `Packet` that early
    /// servers wrote. Case counts.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        Self::exact(name).or_else(|| Self::exact(name.strip_suffix("Packet")?)).unwrap_or(Self::Other)
    }

    /// Whether the content holds samples in columns or rows.
    #[must_use]
    pub fn is_samples(self) -> bool {
        matches!(self, Self::PeriodicData | Self::RowData | Self::SynchroData)
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Other { "Other" } else { self.name() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_known_by_its_name_and_by_the_early_name_with_the_ending() {
        assert_eq!(PacketType::KNOWN.len(), 20);
        for &kind in PacketType::KNOWN {
            assert_eq!(PacketType::parse(kind.name()), kind);
            assert_eq!(PacketType::parse(&format!("{kind}Packet")), kind);
        }
    }

    #[test]
    fn spellings_found_in_the_field_are_accepted_and_others_stay_free() {
        for (name, kind) in [
            ("EventData", PacketType::Event),
            ("MarkerData", PacketType::Marker),
            ("RawCAN", PacketType::RawCanData),
            ("RawCANPacket", PacketType::RawCanData),
            ("RawCANDataPacket", PacketType::RawCanData),
            ("SystemStatus", PacketType::SystemStatusMessage),
        ] {
            assert_eq!(PacketType::parse(name), kind, "{name}");
        }
        for name in ["", "Packet", "event", "EventPacketPacket", " Event", "Periodic", "my.custom/json"] {
            assert_eq!(PacketType::parse(name), PacketType::Other, "{name}");
        }
    }

    #[test]
    fn exactly_three_types_carry_samples() {
        let samples: Vec<_> = PacketType::KNOWN.iter().filter(|kind| kind.is_samples()).map(|k| k.name()).collect();
        assert_eq!(samples, ["PeriodicData", "RowData", "SynchroData"]);
    }
}
