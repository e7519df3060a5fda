//! What a browser is told beside the page itself.

/// The one stylesheet. Every page carries exactly this text in its `<style>` element.
pub const STYLE: &str = include_str!("style.css");

/// `Content-Security-Policy` of every page: our stylesheet and the icon in the page, nothing else.
///
/// `form-action` is absent on purpose: browsers hold the whole chain of redirects that follows a
/// submission against it, and the way from the consent form leads to Clerk and to the client.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
     style-src 'sha256-fOC2KXvelPOW2Geoh2v5HUojxj0LgHgP2YfGj8Rqmfs='; \
     img-src data:; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every HTML answer, as pairs of a lower-case name and a value.
///
/// `no-store` because pages carry single-use handles and people's names. No other site learns an
/// address of ours; `no-referrer` would go too far: with it browsers send `Origin: null` with our own
/// forms, and the server could not tell them from a stranger's. `Cross-Origin-Opener-Policy` is absent on purpose: clients that open the sign-in in a
/// popup would lose sight of it for good.
pub fn headers() -> [(&'static str, &'static str); 6] {
    [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ]
}
