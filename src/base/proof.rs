//! Proofs that something was ordered by this town: HMAC-SHA256 with the town's secret over every field that counts.
//!
//! A proof travels with what it proves, through stores, exports and `gt sync`. Where one field differs, or the domain, it
//! does not hold. Pure: the file of the secret is [`crate::town::secret`].

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of a secret and of a proof, in bytes.
const LENGTH: usize = 32;

/// What a proof is about. The same fields of another kind have another proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// A request to be merged.
    Request,
    /// Mail.
    Mail,
    /// A person's consent to a request or a change.
    Approval,
    /// A bead that waits for a place.
    Start,
}

impl ProofKind {
    /// The word that stands before the fields. Proofs are kept in stores: the words stay as they are.
    fn word(self) -> &'static str {
        match self {
            ProofKind::Request => "request",
            ProofKind::Mail => "mail",
            ProofKind::Approval => "approval",
            ProofKind::Start => "start",
        }
    }
}

/// Tells of an id, and the time when it was made, whether what was proven under it is over.
pub type EndedIds = std::sync::Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// A key of 32 bytes: the town's.
#[derive(Clone)]
pub struct Secret {
    key: [u8; LENGTH],
    /// When it was made, in seconds since 1970: nothing is proven from before. 0 when that is not known.
    pub since: i64,
    /// What is no longer proven though its proof holds, by its id: requests that left the queue, as `town::ended` has them.
    pub over: EndedIds,
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.key == other.key
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: [u8; LENGTH]) -> Secret {
        Secret { key: bytes, since: 0, over: std::sync::Arc::new(|_, _| false) }
    }

    /// Reads what [`Secret::hex`] gave: 64 hexadecimal digits, small letters.
    pub fn parse(text: &str) -> Option<Secret> {
        bytes_of(text).map(Secret::new)
    }

    /// The secret as 64 hexadecimal digits: for its file.
    pub fn hex(&self) -> String {
        hex(&self.key)
    }

    /// The proof of these fields: 64 hexadecimal digits.
    pub fn prove(&self, kind: ProofKind, fields: &[&str]) -> String {
        hex(&self.mac(kind.word(), fields).finalize().into_bytes())
    }

    /// Whether a proof is that of these fields. Compares in constant time.
    pub fn holds(&self, kind: ProofKind, fields: &[&str], proof: &str) -> bool {
        bytes_of(proof).is_some_and(|proof| self.mac(kind.word(), fields).verify_slice(&proof).is_ok())
    }

    fn mac(&self, domain: &str, fields: &[&str]) -> Hmac<Sha256> {
        let mut mac = keyed(&self.key);
        mac.update(&message(domain, fields));
        mac
    }
}

/// HMAC fills a key that is shorter than the block of 64 bytes up with zeros.
fn keyed(key: &[u8; LENGTH]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..LENGTH].copy_from_slice(key);
    Hmac::<Sha256>::new(&block.into())
}

/// The bytes under a proof: the domain and each field, each after its length, so that no two lists give the same.
fn message(domain: &str, fields: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in std::iter::once(&domain).chain(fields) {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn bytes_of(hex: &str) -> Option<[u8; LENGTH]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let digits = hex.as_bytes();
    let mut bytes = [0; LENGTH];
    if digits.len() != 2 * LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret() -> Secret {
        Secret::new([7; LENGTH])
    }

    #[test]
    fn the_mac_is_the_one_of_rfc_4231() {
        // Its first case has a key of 20 bytes: with zeros behind it, the same.
        let mut key = [0; LENGTH];
        key[..20].fill(0x0b);
        let mut mac = keyed(&key);
        mac.update(b"Hi There");
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(hex(&mac.finalize().into_bytes()), expected);
    }

    #[test]
    fn a_proof_holds_for_its_fields_alone() {
        let proof = secret().prove(ProofKind::Request, &["wy-1", "main"]);
        assert_eq!(proof.len(), 64);
        assert!(secret().holds(ProofKind::Request, &["wy-1", "main"], &proof));
        for other in
            [&["wy-1", "mai"][..], &["wy-1"], &["wy-1", "main", ""], &["wy-1main"], &["main", "wy-1"]]
        {
            assert!(!secret().holds(ProofKind::Request, other, &proof), "{other:?}");
        }
        assert!(!secret().holds(ProofKind::Mail, &["wy-1", "main"], &proof));
        assert!(!Secret::new([8; LENGTH]).holds(ProofKind::Request, &["wy-1", "main"], &proof));
        for broken in
            ["", "x", &proof[1..], &proof.to_uppercase(), &format!("{proof}0"), &format!("{proof}\n")]
        {
            assert!(!secret().holds(ProofKind::Request, &["wy-1", "main"], broken), "{broken:?}");
        }
    }

    #[test]
    fn a_secret_reads_back_and_is_never_printed() {
        assert_eq!(Secret::parse(&secret().hex()), Some(secret()));
        assert_eq!(format!("{:?}", secret()), "Secret(…)");
    }

    proptest! {
        #[test]
        fn different_fields_are_different_bytes(
            a in proptest::collection::vec("[ab\u{0}\u{8}é]{0,3}", 0..4),
            b in proptest::collection::vec("[ab\u{0}\u{8}é]{0,3}", 0..4),
            domains in ("[ab]{0,2}", "[ab]{0,2}"),
        ) {
            let bytes = |domain: &str, list: &[String]| {
                message(domain, &list.iter().map(String::as_str).collect::<Vec<_>>())
            };
            let same = a == b && domains.0 == domains.1;
            prop_assert_eq!(bytes(&domains.0, &a) == bytes(&domains.1, &b), same);
        }

        #[test]
        fn hexadecimal_reads_back(bytes in proptest::array::uniform32(any::<u8>())) {
            prop_assert_eq!(bytes_of(&hex(&bytes)), Some(bytes));
        }
    }
}
