//! The token that opens a source: compared in constant time, whichever way it is offered.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret::Secret;

/// A token, kept as a digest only: equal lengths compare without telling the length, and no copy can leak.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Takes the digest of `secret`.
    pub fn new(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.expose().as_bytes()).into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a sender offers to be let in.
#[derive(Clone, Copy, Default)]
pub struct Offered<'a> {
    /// The last part of the address.
    pub in_path: Option<&'a str>,
    /// A bearer token or a basic-auth password.
    pub in_header: Option<&'a str>,
}

impl std::fmt::Debug for Offered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offered")
            .field("in_path", &self.in_path.is_some())
            .field("in_header", &self.in_header.is_some())
            .finish()
    }
}

impl Offered<'_> {
    /// Whether anything offered is one of `tokens`. Every token is compared, so the time does not tell which matched.
    pub fn opens(self, tokens: &[Token]) -> bool {
        let decoded = self.in_path.map(decoded);
        [self.in_path, decoded.as_deref(), self.in_header].into_iter().flatten().any(|offered| {
            let digest: [u8; 32] = Sha256::digest(offered.as_bytes()).into();
            tokens.iter().fold(false, |opens, token| opens | bool::from(token.0.ct_eq(&digest)))
        })
    }
}

/// The last part of a path, without what whoever takes paths apart leaves encoded in them, so that no part becomes two.
fn decoded(path: &str) -> String {
    const LEFT: [(&str, char); 5] = [("25", '%'), ("2F", '/'), ("2f", '/'), ("2B", '+'), ("2b", '+')];
    let mut parts = path.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let found = LEFT.iter().find_map(|(code, letter)| Some((*letter, part.strip_prefix(code)?)));
        let (letter, rest) = found.unwrap_or(('%', part));
        decoded.push(letter);
        decoded.push_str(rest);
    }
    decoded
}

/// The token in an `Authorization` header: the bearer token, or the password of basic authentication.
pub fn credential(header: &str) -> Option<Cow<'_, str>> {
    let (scheme, value) = header.trim().split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Cow::Borrowed(value));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(base64(value)?).ok()?;
    decoded.split_once(':').map(|(_, password)| Cow::Owned(password.to_owned()))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_of_two_live_tokens_opens_and_nothing_else_does() {
        let tokens = [Token::new(&Secret::new("old")), Token::new(&Secret::new("new"))];
        let offer = |in_path, in_header| Offered { in_path, in_header }.opens(&tokens);
        assert!(offer(Some("old"), None) && offer(Some("new"), None) && offer(None, Some("new")));
        assert!(!offer(None, None) && !offer(Some(""), None) && !offer(Some("ol"), None));
        assert!(!Offered { in_path: Some("x"), in_header: None }.opens(&[]));
    }

    #[test]
    fn a_token_in_an_address_opens_as_it_is_and_encoded() {
        let tokens = [Token::new(&Secret::new("a/b%2Fc+%zz"))];
        let opens = |path| Offered { in_path: Some(path), in_header: None }.opens(&tokens);
        assert!(opens("a/b%2Fc+%zz") && opens("a%2Fb%252Fc%2B%25zz") && opens("a%2fb%252Fc%2b%zz"));
        assert!(!opens("a/b/c+%zz") && !opens("a%2Fb%2Fc%2B%25zz"));
    }

    #[test]
    fn a_credential_is_a_bearer_token_or_a_basic_password() {
        assert_eq!(credential("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(credential("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(credential("Basic dXNlcjphOmI=").as_deref(), Some("a:b"));
        for nothing in ["", "Bearer", "Basic !!!", "Basic dXNlcg==", "Digest abc"] {
            assert_eq!(credential(nothing), None, "{nothing}");
        }
    }
}
