//! Each page in each of its forms, with plausible values.

use crate::*;

/// A page with sample values.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Name of the page and its form, fit for a file name.
    pub name: &'static str,
    /// The page.
    pub html: String,
}

/// All pages in all their forms.
pub fn samples() -> Vec<Sample> {
    let mut all = Vec::new();
    let mut add = |name, html| all.push(Sample { name, html });
    for (name, page) in ConsentPage::samples() {
        add(name, page.render());
    }
    for (name, page) in AllowedPage::samples() {
        add(name, page.render());
    }
    for (name, page) in SignInFailedPage::samples() {
        add(name, page.render());
    }
    for (name, page) in LinkExpiredPage::samples() {
        add(name, page.render());
    }
    for (name, page) in DonePage::samples() {
        add(name, page.render());
    }
    for (name, page) in HomePage::samples() {
        add(name, page.render());
    }
    for (name, page) in DemoHomePage::samples() {
        add(name, page.render());
    }
    for (name, refusal) in DemoRefusal::samples() {
        add(name, refusal.render());
    }
    add("authorize-error", AuthorizeErrorPage::sample().render());
    add("clients-only", ClientsOnlyPage::sample().render());
    add("not-found", NotFoundPage::sample().render());
    add("error", ErrorPage::sample().render());
    all
}

const SERVER: &str = "Acme Workspace";

impl ConsentPage<'static> {
    /// A verified web client, before sign-in.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            action: "/authorize/consent",
            handle: "J3kq8s0mYw2c5PpVtQ7n4A",
            client: ClientView {
                name: "Claude",
                identity: ClientIdentity::VerifiedDomain("claude.ai"),
                client_uri: Some("https://claude.ai/"),
                policy_uri: Some("https://www.anthropic.com/privacy"),
                tos_uri: None,
            },
            redirect: RedirectView {
                host: "claude.ai",
                kind: RedirectKind::Https,
            },
            scopes: vec![
                ScopeView {
                    value: "tools:read",
                    title: "Look things up",
                    description: "Read your profile, your organizations and their members.",
                    is_new: false,
                },
                ScopeView {
                    value: "tools:write",
                    title: "Change things",
                    description: "Invite and remove members, and edit your profile.",
                    is_new: false,
                },
            ],
            person: None,
            remembered_note: true,
            nothing_ticked: false,
        }
    }

    /// Every kind of client and redirect, signed in or not, with and without scopes.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let loopback = Self {
            client: ClientView {
                name: "Claude Code",
                identity: ClientIdentity::Registered,
                client_uri: None,
                policy_uri: None,
                tos_uri: None,
            },
            redirect: RedirectView {
                host: "127.0.0.1:53682",
                kind: RedirectKind::Loopback,
            },
            ..Self::sample()
        };
        let private_use = Self {
            client: ClientView {
                name: "Cursor",
                identity: ClientIdentity::Configured,
                client_uri: Some("https://cursor.com"),
                policy_uri: None,
                tos_uri: None,
            },
            redirect: RedirectView {
                host: "",
                kind: RedirectKind::PrivateUse { scheme: "cursor" },
            },
            ..Self::sample()
        };
        let mut signed_in = Self {
            person: Some("Ada Lovelace"),
            ..Self::sample()
        };
        if let Some(write) = signed_in.scopes.last_mut() {
            write.is_new = true;
        }
        let registered = Self {
            client: ClientView {
                name: "Totally Claude, the official and only one, trust me on this one please",
                identity: ClientIdentity::Registered,
                client_uri: Some("javascript:alert(1)"),
                policy_uri: Some("https://agents.example/privacy"),
                tos_uri: Some("https://agents.example/terms"),
            },
            redirect: RedirectView {
                host: "claude.ai.sign-in.agents.example",
                kind: RedirectKind::Https,
            },
            scopes: Vec::new(),
            person: Some("grace@example.com"),
            remembered_note: false,
            ..Self::sample()
        };
        let nothing_ticked = Self {
            nothing_ticked: true,
            ..Self::sample()
        };
        vec![
            ("consent-verified", Self::sample()),
            ("consent-nothing-ticked", nothing_ticked),
            ("consent-loopback", loopback),
            ("consent-private-use", private_use),
            ("consent-signed-in", signed_in),
            ("consent-registered", registered),
        ]
    }
}

impl SignInFailedPage<'static> {
    /// A sign-in that the person cancelled.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            reason: SignInFailure::Declined,
            retry: None,
        }
    }

    /// Every reason.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let page = |reason| Self {
            reason,
            ..Self::sample()
        };
        vec![
            ("sign-in-declined", page(SignInFailure::Declined)),
            (
                "sign-in-clerk-unreachable",
                Self {
                    retry: Some(ALLOWED_PATH),
                    ..page(SignInFailure::ClerkUnreachable)
                },
            ),
            (
                "sign-in-session-mismatch",
                page(SignInFailure::SessionMismatch),
            ),
        ]
    }
}

impl LinkExpiredPage<'static> {
    /// A link whose minutes are over.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            problem: LinkProblem::Expired,
        }
    }

    /// Every problem.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let page = |problem| Self {
            problem,
            ..Self::sample()
        };
        vec![
            ("link-expired", page(LinkProblem::Expired)),
            ("link-already-used", page(LinkProblem::AlreadyUsed)),
            ("link-other-browser", page(LinkProblem::OtherBrowser)),
        ]
    }
}

impl DonePage<'static> {
    /// An app that was let in.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            client_name: "Cursor",
            outcome: Outcome::Approved,
            redirect_url: "cursor://anysphere.cursor-mcp/oauth/callback?code=sample&state=sample",
            redirect_kind: RedirectKind::PrivateUse { scheme: "cursor" },
        }
    }

    /// Approved, denied, and an address that is no link.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let denied = Self {
            client_name: "Claude Code",
            outcome: Outcome::Denied,
            redirect_url: "http://127.0.0.1:53682/callback?error=access_denied&state=sample",
            redirect_kind: RedirectKind::Loopback,
            ..Self::sample()
        };
        let unlinked = Self {
            redirect_url: "javascript:alert(1)",
            redirect_kind: RedirectKind::PrivateUse {
                scheme: "javascript",
            },
            ..Self::sample()
        };
        vec![
            ("done-approved", Self::sample()),
            ("done-denied", denied),
            ("done-no-link", unlinked),
        ]
    }
}

impl AllowedPage<'static> {
    /// A client that is remembered and signed in, one that is remembered, and one that is signed in.
    pub fn sample() -> Self {
        let scope = |value, title| ScopeView {
            value,
            title,
            description: "",
            is_new: false,
        };
        let read = scope("tools:read", "Look things up");
        Self {
            server_name: SERVER,
            action: ALLOWED_PATH,
            handle: "Q7n4AJ3kq8s0mYw2c5PpVt",
            done: None,
            person: "Ada Lovelace",
            entries: vec![
                AllowedView {
                    entry: "kB2pYx3mV0sT1qLw9nRz8cGh5jDf7aEe4uIoPyTrWqM",
                    client_name: "Claude",
                    identity: Some(ClientIdentity::VerifiedDomain("claude.ai")),
                    remembered: Some(RememberedView {
                        redirect_host: "claude.ai",
                        scopes: vec![read.clone(), scope("tools:write", "Change things")],
                        at: 1_790_000_000_000,
                    }),
                    signed_in_at: Some(1_790_086_400_000),
                },
                AllowedView {
                    entry: "Zx9cVb8nMa7sDf6gHj5kLq4wEr3tYu2iOp1lKjHgFdS",
                    client_name: "Reporting",
                    identity: None,
                    remembered: Some(RememberedView {
                        redirect_host: "reports.example.com",
                        scopes: vec![read],
                        at: 1_780_000_000_000,
                    }),
                    signed_in_at: None,
                },
                AllowedView {
                    entry: "Mn1bVc2xZa3sDq4wEr5tGf6hYj7uKi8lOp9mNjBhVgC",
                    client_name: "Claude Code",
                    identity: Some(ClientIdentity::Registered),
                    remembered: None,
                    signed_in_at: Some(1_790_000_000_000),
                },
            ],
        }
    }

    /// Three clients, one that was just signed out, one that is signed in, one whose names are long, and nobody.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let page = |entries| Self {
            entries,
            ..Self::sample()
        };
        let mut remembered = Self::sample().entries;
        let one = remembered.split_off(2);
        let mut long = Self::sample().entries;
        long.truncate(1);
        for entry in &mut long {
            entry.client_name =
                "The extraordinarily long name of a client that wants to be noticed";
            entry.identity = Some(ClientIdentity::VerifiedDomain(
                "a-host-name-without-end.of-a-department.of-a-company.example.com",
            ));
        }
        vec![
            ("allowed", Self::sample()),
            (
                "allowed-signed-out",
                Self {
                    done: Some(TakenBack::SignedOut {
                        client_name: Some("Claude Code"),
                    }),
                    ..page(remembered)
                },
            ),
            ("allowed-signed-in-alone", page(one)),
            ("allowed-long-names", page(long)),
            ("allowed-nothing", page(Vec::new())),
        ]
    }
}

impl HomePage<'static> {
    /// A server on the internet.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            mcp_url: "https://mcp.acme.example/mcp",
            version: "0.1.0",
            sign_in_mode: SignInMode::ClerkOauth,
            emulated: None,
        }
    }

    /// Every way to sign in, and the emulator.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let person = |name, email, role| EmulatedPerson {
            name,
            email,
            role,
            without_session: false,
        };
        let emulated = Self {
            server_name: "clerk-mcp dev",
            mcp_url: "http://127.0.0.1:8788/mcp",
            emulated: Some(vec![
                person("Ada Lovelace", "ada@example.com", "admin"),
                person("Grace Hopper", "grace@example.com", "premium"),
                person("Alan Turing", "alan@example.com", "no role"),
            ]),
            ..Self::sample()
        };
        // The first of them has a second factor.
        let with_sessions = |mut page: Self| {
            let first = page.emulated.iter_mut().flatten().next();
            first
                .into_iter()
                .for_each(|person| person.without_session = true);
            page
        };
        let page = |sign_in_mode| Self {
            sign_in_mode,
            ..Self::sample()
        };
        vec![
            ("home", Self::sample()),
            ("home-app", page(SignInMode::App)),
            ("home-clerk-tokens", page(SignInMode::ClerkTokens)),
            ("home-emulated", emulated.clone()),
            ("home-emulated-sessions", with_sessions(emulated)),
        ]
    }
}

impl AuthorizeErrorPage<'static> {
    /// A redirect URI that is not registered.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            error_code: "invalid_request",
            message: "The redirect URI https://evil.example/callback is not registered for this client.",
            hint: Some("connect again from the client, so that it registers its current address."),
        }
    }
}

impl ClientsOnlyPage<'static> {
    /// As its owner calls it.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            home: "/",
        }
    }
}

impl NotFoundPage<'static> {
    /// A path that does not exist.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            path: "/admin",
            home: "/",
        }
    }
}

impl ErrorPage<'static> {
    /// Too many requests.
    pub fn sample() -> Self {
        Self {
            server_name: SERVER,
            status: 429,
            message: "This address has sent 60 requests in a minute; more are not answered for now.",
            hint: Some("wait 30 seconds, then try again."),
        }
    }
}

impl DemoHomePage<'static> {
    /// Somebody with a few orders.
    pub fn sample() -> Self {
        let order = |id, product, quantity, total: &str, status, placed_on| DemoOrder {
            id,
            product,
            quantity,
            total: total.to_owned(),
            status,
            placed_on,
        };
        Self {
            person: Some(DemoPerson {
                name: "Ada Lovelace",
                email: "ada@example.com",
                actor: None,
            }),
            orders: vec![
                order(
                    "ord_5f0c1a9e",
                    "Desk lamp",
                    1,
                    "49.00 EUR",
                    "open",
                    "2026-11-20",
                ),
                order(
                    "ord_a17bd203",
                    "Field notebook",
                    12,
                    "114.00 EUR",
                    "shipped",
                    "2026-11-02",
                ),
            ],
            sign_in_url: "http://127.0.0.1:8789/sign-in?redirect_url=http%3A%2F%2F127.0.0.1%3A8787%2F",
            api_url: "http://127.0.0.1:8787/api",
            mcp_home: "http://127.0.0.1:8788/",
        }
    }

    /// Signed in, impersonated, and nobody.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let impersonated = Self {
            person: Some(DemoPerson {
                name: "Ethan Cho",
                email: "",
                actor: Some("Priya Raman"),
            }),
            ..Self::sample()
        };
        let nobody = Self {
            person: None,
            orders: Vec::new(),
            ..Self::sample()
        };
        vec![
            ("demo-home", Self::sample()),
            ("demo-home-impersonated", impersonated),
            ("demo-home-signed-out", nobody),
        ]
    }
}

impl DemoRefusal {
    /// Every refusal.
    pub fn samples() -> Vec<(&'static str, Self)> {
        vec![
            ("demo-not-our-server", Self::NotOurServer),
            ("demo-no-cookies", Self::NoCookies),
            ("demo-clerk-unreachable", Self::ClerkUnreachable),
            ("demo-not-found", Self::NotFound),
        ]
    }
}
