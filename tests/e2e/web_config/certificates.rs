//! A folder with the certificates and keys that web config files name, `NAME.crt` and `NAME.key`: two servers', two
//! authorities', and clients' of all sorts. It knows nothing about who accepts which.

use std::path::Path;
use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512,
    PKCS_ED25519, PKCS_RSA_SHA256, SanType, SignatureAlgorithm, date_time_ymd,
};

/// The certificates that a client may show.
pub(super) const CLIENTS: [&str; 19] = [
    "dns",
    "email",
    "ip",
    "uri",
    "nameless",
    "rsa",
    "p384",
    "p521",
    "ed25519",
    "stranger",
    "self",
    "self-expired",
    "self-for-servers",
    "expired",
    "future",
    "for-servers",
    "through-intermediate",
    "without-intermediate",
    "authority",
];

/// Those that webpki refuses and Go does not; see the list of differences.
pub(super) const ODD_CLIENTS: [&str; 3] = ["intermediate", "version-1", "for-anything"];

/// Alternative names of the clients.
pub(super) const NAMES: [&str; 4] = [
    "client.example",
    "client@client.example",
    "10.11.12.13",
    "spiffe://client.example/scraper",
];

type Authority<'a> = Issuer<'a, KeyPair>;

struct Maker<'a> {
    folder: &'a Path,
}

impl Maker<'_> {
    fn write(&self, name: &str, certificates: &[&Certificate], key: &KeyPair) {
        let pem: String = certificates.iter().map(|one| one.pem()).collect();
        std::fs::write(self.folder.join(format!("{name}.crt")), pem).unwrap();
        std::fs::write(self.folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// Signed by itself.
    fn alone(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let (params, key) = new(name, &PKCS_ECDSA_P256_SHA256, change);
        let certificate = params.self_signed(&key).unwrap();
        self.write(name, &[&certificate], &key);
    }

    /// An authority, signed by itself.
    fn authority(&self, name: &str) -> (Authority<'static>, Certificate) {
        let (params, key) = new(name, &PKCS_ECDSA_P256_SHA256, authority);
        let certificate = params.self_signed(&key).unwrap();
        self.write(name, &[&certificate], &key);
        (Issuer::new(params, key), certificate)
    }

    /// Signed by an authority.
    fn signed(
        &self,
        name: &str,
        by: &Authority<'_>,
        algorithm: &'static SignatureAlgorithm,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let (params, key) = new(name, algorithm, change);
        let certificate = params.signed_by(&key, by).unwrap();
        self.write(name, &[&certificate], &key);
        certificate
    }
}

fn new(
    name: &str,
    algorithm: &'static SignatureAlgorithm,
    change: impl FnOnce(&mut CertificateParams),
) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    (params, KeyPair::generate_for(algorithm).unwrap())
}

fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.extended_key_usages.clear();
}

fn server(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
}

fn expired(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2020, 1, 1);
}

fn named(name: SanType) -> impl FnOnce(&mut CertificateParams) {
    |params| params.subject_alt_names.push(name)
}

fn dns() -> SanType {
    SanType::DnsName(NAMES[0].try_into().unwrap())
}

/// Puts all of them into this folder.
pub(super) fn make(folder: &Path) {
    let maker = Maker { folder };
    for (name, algorithm) in [
        ("server", &PKCS_RSA_SHA256),
        ("ec-server", &PKCS_ECDSA_P256_SHA256),
    ] {
        let (params, key) = new(name, algorithm, server);
        let certificate = params.self_signed(&key).unwrap();
        maker.write(name, &[&certificate], &key);
    }
    let (ours, certificate) = maker.authority("authority");
    let (others, other_certificate) = maker.authority("other-authority");
    let both = certificate.pem() + &other_certificate.pem();
    std::fs::write(folder.join("both-authorities.crt"), both).unwrap();

    let ec = &PKCS_ECDSA_P256_SHA256;
    maker.signed("dns", &ours, ec, named(dns()));
    let email = SanType::Rfc822Name(NAMES[1].try_into().unwrap());
    maker.signed("email", &ours, ec, named(email));
    let ip = SanType::IpAddress(NAMES[2].parse().unwrap());
    maker.signed("ip", &ours, ec, named(ip));
    let uri = SanType::URI(NAMES[3].try_into().unwrap());
    maker.signed("uri", &ours, ec, named(uri));
    maker.signed("nameless", &ours, ec, |_| ());
    maker.signed("rsa", &ours, &PKCS_RSA_SHA256, named(dns()));
    maker.signed("p384", &ours, &PKCS_ECDSA_P384_SHA384, named(dns()));
    maker.signed("p521", &ours, &PKCS_ECDSA_P521_SHA512, named(dns()));
    maker.signed("ed25519", &ours, &PKCS_ED25519, named(dns()));
    maker.signed("stranger", &others, ec, named(dns()));
    maker.signed("expired", &ours, ec, expired);
    maker.signed("future", &ours, ec, |params| {
        params.not_before = date_time_ymd(2090, 1, 1);
    });
    maker.signed("for-servers", &ours, ec, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    maker.signed("for-anything", &ours, ec, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    });
    maker.alone("self", named(dns()));
    maker.alone("self-expired", expired);
    maker.alone("self-for-servers", server);

    let (params, key) = new("intermediate", ec, authority);
    let intermediate = params.signed_by(&key, &ours).unwrap();
    maker.write("intermediate", &[&intermediate], &key);
    let lower = Issuer::new(params, key);
    maker.signed("without-intermediate", &lower, ec, named(dns()));
    let (params, key) = new("through-intermediate", ec, named(dns()));
    let leaf = params.signed_by(&key, &lower).unwrap();
    maker.write("through-intermediate", &[&leaf, &intermediate], &key);
    version_1(folder);
}

/// A certificate of X.509 version 1, which only OpenSSL makes still.
fn version_1(folder: &Path) {
    let openssl = |arguments: &str| {
        let status = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "openssl {arguments}");
    };
    openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=version-1 -keyout version-1.key -out \
         version-1.csr",
    );
    openssl(
        "x509 -req -in version-1.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 36500 -out version-1.crt",
    );
}
