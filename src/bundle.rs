//! The files of the repository that are part of the program, so that whoever has the exporter has the dashboards,
//! rules and runbooks that go with it. Knows nothing of what is in them.

/// A file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// Files of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folder {
    /// Its name, for people and in paths.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    /// All of them, by name.
    pub files: &'static [File],
}

impl Folder {
    /// The file with this name.
    pub fn file(&self, name: &str) -> Option<&'static File> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// The files of a folder of the repository. A test compares these lists with what is in the folders.
macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(File {
            name: $name,
            text: include_str!(concat!("../", $folder, "/", $name)),
        }),*]
    };
}

/// For Grafana.
pub const DASHBOARDS: Folder = Folder {
    name: "dashboards",
    purpose: "dashboards for Grafana",
    files: files!("dashboards":
        "avepoint-exporter.json"
        "avepoint-fleet.json"
        "avepoint-tenant.json"
    ),
};

/// For Prometheus.
pub const RULES: Folder = Folder {
    name: "rules",
    purpose: "recording rules and alerts for Prometheus",
    files: files!("rules":
        "avepoint-alerts.yml"
        "avepoint-recording.yml"
    ),
};

/// For whoever gets an alert: one for each.
pub const RUNBOOKS: Folder = Folder {
    name: "runbooks",
    purpose: "a runbook for each alert",
    files: files!("docs/runbooks":
        "AvePointApiThrottled.md"
        "AvePointBackupCoverageLow.md"
        "AvePointCertificateExpiresSoon.md"
        "AvePointCertificateExpiring.md"
        "AvePointClockSkewed.md"
        "AvePointCollectorFailing.md"
        "AvePointCollectorNeverSucceeded.md"
        "AvePointCredentialRefused.md"
        "AvePointCustomerBackupFailed.md"
        "AvePointDataStale.md"
        "AvePointDiscoveryFailing.md"
        "AvePointExporterDown.md"
        "AvePointExporterRestarting.md"
        "AvePointFleetBlind.md"
        "AvePointHighRiskUsersExposed.md"
        "AvePointHighRiskUsersPresent.md"
        "AvePointHighRiskUsersRising.md"
        "AvePointMfaDisabledUsersRising.md"
        "AvePointNoTenants.md"
        "AvePointPartnerCenterCredentialRefused.md"
        "AvePointPartnerCenterMfaNotCompliant.md"
        "AvePointRateLimitTooLow.md"
        "AvePointRefreshTokenNotStored.md"
        "AvePointRefreshTokenOld.md"
        "AvePointReloadFailed.md"
        "AvePointStateDirFailing.md"
        "AvePointTenantsVanished.md"
        "AvePointUnprotectedMailboxesRising.md"
        "AvePointUsersMissingFromBackup.md"
        "README.md"
    ),
};

/// What is served, and written.
pub const FOLDERS: [&Folder; 3] = [&DASHBOARDS, &RULES, &RUNBOOKS];

/// An example for Alertmanager, which is written only: it is to be put together with what the operator has.
pub const ALERTMANAGER: File = File {
    name: "alertmanager.yml",
    text: include_str!("../deploy/alertmanager.yml"),
};
