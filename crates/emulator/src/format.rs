//! What an e-mail address, a phone number, a username and the like look like.

use crate::error::{self, ApiError};

/// An e-mail address as most mail servers take it; Clerk refuses the exotic forms of RFC 5322 too.
pub(crate) fn email(param: &str, text: &str) -> Result<(), ApiError> {
    let refusal =
        || error::param_format_invalid(param, format!("{param} must be a valid email address."));
    let (local, domain) = text.rsplit_once('@').ok_or_else(refusal)?;
    let local_fits = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let domain_fits = labels.len() >= 2
        && text.len() <= 254
        && labels.iter().all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    if local_fits && domain_fits {
        Ok(())
    } else {
        Err(refusal())
    }
}

/// A phone number of the E.164 standard: `+` and 7 to 15 digits. Separators people type are
/// dropped, as Clerk does.
pub(crate) fn phone(param: &str, text: &str) -> Result<String, ApiError> {
    let number: String = text.chars().filter(|c| !" -().".contains(*c)).collect();
    if is_e164(&number) {
        return Ok(number);
    }
    let reason =
        format!("{param} must be a valid phone number according to E.164 international standard.");
    Err(error::param_format_invalid(param, reason))
}

/// A wallet address of Ethereum (0x and 40 hexadecimal digits) or Solana (base58).
pub(crate) fn wallet(param: &str, text: &str) -> Result<(), ApiError> {
    let ethereum = text
        .strip_prefix("0x")
        .is_some_and(|hex| hex.len() == 40 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let solana = (32..=44).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() && !b"0OIl".contains(&byte));
    if ethereum || solana {
        return Ok(());
    }
    Err(error::param_format_invalid(
        param,
        format!("{param} must be a valid web3 wallet address."),
    ))
}

pub(crate) fn username(text: &str) -> Result<(), ApiError> {
    if is_e164(text) {
        return Err(error::username_is_phone_number());
    }
    if !(4..=64).contains(&text.chars().count()) {
        return Err(error::username_length());
    }
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    {
        return Err(error::username_character());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error::username_needs_letter());
    }
    Ok(())
}

/// A BCP-47 language tag, such as `en-US`.
pub(crate) fn locale(text: &str) -> Result<(), ApiError> {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let fits = (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    if fits {
        return Ok(());
    }
    Err(error::param_format_invalid(
        "locale",
        "locale must be a valid BCP-47 language tag.",
    ))
}

/// The slug of an organization: lower-case letters, digits and dashes.
pub(crate) fn slug(text: &str) -> Result<(), ApiError> {
    let fits = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        return Ok(());
    }
    let reason = "slug can contain only lowercase alphanumeric characters (letters and digits) and the dash \"-\".";
    Err(error::param_format_invalid("slug", reason))
}

/// The name of an organization: at most 256 characters, no URL and no HTML.
pub(crate) fn organization_name(text: &str) -> Result<(), ApiError> {
    if text.chars().count() > 256 {
        return Err(error::param_max_length("name", 256));
    }
    if text.contains("://") || text.to_lowercase().contains("www.") {
        return Err(error::organization_name_invalid("it may not contain URLs"));
    }
    if text.contains('<') || text.contains('>') {
        return Err(error::organization_name_invalid("it may not contain HTML"));
    }
    Ok(())
}

/// A redirect URL: absolute, with a scheme and a host.
pub(crate) fn redirect_url(text: &str) -> Result<(), ApiError> {
    let uri = text.parse::<http::Uri>().ok();
    if uri.is_some_and(|uri| uri.scheme().is_some() && uri.host().is_some()) {
        return Ok(());
    }
    Err(error::param_format_invalid(
        "redirect_url",
        "redirect_url must be a valid url.",
    ))
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails() {
        for good in [
            "ava@example.com",
            "a.b+c@mail.example.co.uk",
            "josé@exämple.com",
        ] {
            assert!(email("email_address", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ava",
            "@example.com",
            "ava@",
            "ava@example",
            "a b@example.com",
            ".a@example.com",
            "a@-b.com",
        ] {
            assert!(email("email_address", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn phones_lose_their_separators() {
        assert_eq!(
            phone("phone_number", "+1 (555) 010-0100").unwrap(),
            "+15550100100"
        );
        assert!(phone("phone_number", "5550100").is_err());
    }

    #[test]
    fn usernames() {
        assert!(username("ava_mitchell").is_ok());
        for bad in ["ava", "ava mitchell", "123456", "+15550100100"] {
            assert!(username(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn locales() {
        for good in ["en", "en-US", "zh-Hant-TW", "fil"] {
            assert!(locale(good).is_ok(), "{good}");
        }
        for bad in ["", "e", "english", "en_US", "en-"] {
            assert!(locale(bad).is_err(), "{bad}");
        }
    }
}
