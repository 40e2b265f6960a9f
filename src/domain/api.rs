//! The hosts that the exporter asks.

use std::fmt;

/// One host that the exporter asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// AvePoint Elements.
    Elements,
    /// The token service of AvePoint Elements.
    ElementsIdentity,
    /// Microsoft Partner Center.
    PartnerCenter,
    /// The token service of Microsoft.
    MicrosoftIdentity,
}

impl Api {
    /// The value of the label `api`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elements => "elements",
            Self::ElementsIdentity => "elements_identity",
            Self::PartnerCenter => "partner_center",
            Self::MicrosoftIdentity => "microsoft_identity",
        }
    }

    /// Whether it hands out tokens.
    pub const fn is_identity(self) -> bool {
        matches!(self, Self::ElementsIdentity | Self::MicrosoftIdentity)
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
