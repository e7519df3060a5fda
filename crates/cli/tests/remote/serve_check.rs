//! `serve --check` names each fault, with a hint.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::http::{post, request};
use crate::support::server::folder;

/// An emulated Clerk as a process of its own, with an OAuth application for this server.
pub(crate) struct Clerk {
    child: Child,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    application: Value,
}

impl Clerk {
    pub(crate) fn start() -> Self {
        let folder = folder("check");
        let mut child = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
            .args(["emulate", "--port", "0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains("http://"));
        let url = line.unwrap().split_whitespace().last().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        let mut clerk = Self {
            child,
            url,
            folder,
            application: Value::Null,
        };
        clerk.application = clerk.api(
            "POST",
            "/oauth_applications",
            &json!({
                "name": "The server",
                "redirect_uris": ["http://127.0.0.1:8788/callback"],
                "scopes": "openid profile email offline_access",
            }),
        );
        clerk
    }

    fn api(&self, method: &'static str, path: &str, body: &Value) -> Value {
        let response = request(method, &format!("{}/v1{path}", self.url))
            .bearer("sk_test_emulate")
            .json(body)
            .send();
        assert_eq!(response.status, 200, "{}", response.brief());
        response.json()
    }

    /// `serve` with this configuration, in the folder and with nothing but these variables.
    pub(crate) fn serve(&self, config: &str) -> Command {
        let file = self.folder.join("clerk-mcp.toml");
        std::fs::write(&file, config).unwrap();
        let text = |name: &str| self.application[name].as_str().unwrap().to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"));
        command
            .args(["serve", "--config", "clerk-mcp.toml"])
            .current_dir(&self.folder)
            .env_clear()
            .env("CLERK_SECRET_KEY", "sk_test_emulate")
            .env("CLERK_API_URL", &self.url)
            .env("CLERK_FRONTEND_API", &self.url)
            .env("CLERK_CLIENT_ID", text("client_id"))
            .env("CLERK_CLIENT_SECRET", text("client_secret"));
        // Whatever else may listen on this machine.
        if !config.contains("bind = ") {
            command.env("CLERK_MCP_BIND", "127.0.0.1:0");
            if !config.contains("public_url = ") {
                command.env("CLERK_MCP_PUBLIC_URL", "http://127.0.0.1:8788");
            }
        }
        command
    }

    /// Runs the check; gives the exit code and what was said.
    pub(crate) fn check(&self, config: &str, changes: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = self.serve(config);
        command.arg("--check");
        for (name, value) in changes {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    /// The check fails, names the fault, gives a hint, and shows no secret.
    #[track_caller]
    fn finds(&self, config: &str, changes: &[(&str, &str)], words: &[&str]) {
        let (code, said) = self.check(config, changes);
        assert!(
            code.is_some_and(|code| code != 0),
            "no fault is found: {said}"
        );
        for word in words {
            assert!(said.contains(word), "no {word:?} in: {said}");
        }
        assert!(said.contains("hint:"), "{said}");
        let secret = self.application["client_secret"].as_str().unwrap();
        assert!(
            !said.contains(secret) && !said.contains("sk_test_emulate"),
            "{said}"
        );
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An address at which nobody listens: a free port could be another test's in a moment.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn what_is_in_order_is_said_to_be_and_nothing_is_made() {
    let clerk = Clerk::start();
    let (code, said) = clerk.check("", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("everything is in order"), "{said}");
    let files = std::fs::read_dir(&clerk.folder).unwrap().count();
    assert_eq!(files, 1, "a check makes no database");
}

#[test]
fn an_instance_without_organizations_is_told_from_one_that_lacks_people() {
    const RULE: &str = "\n[[access]]\norganization_role = \"org:admin\"\ntools = [\"users\"]\n";
    const ASKS: &str = "\n[sign_in]\norganizations = true\n";
    let clerk = Clerk::start();
    let (code, said) = clerk.check(RULE, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("people: can be read, with their"), "{said}");
    let settings = "/instance/organization_settings";
    clerk.api("PATCH", settings, &json!({ "enabled": false }));
    let (code, said) = clerk.check("", &[]);
    assert_eq!(code, Some(0), "nothing here needs organizations: {said}");
    assert!(
        said.contains("this instance has no organizations"),
        "{said}"
    );
    clerk.finds(RULE, &[], &["rule for organization role org:admin"]);
    clerk.finds(ASKS, &[], &["sign_in.organizations", "user:org:read"]);
    // Clerk's error about people themselves is one.
    let faults = json!({ "operation": "UsersGetOrganizationMemberships", "status": 403 });
    let url = format!("{}/_emulator/faults", clerk.url);
    assert_eq!(post(&url).json(&faults).send().status, 200);
    clerk.finds("", &[], &["people: their organizations"]);
}

/// What `serve` does not start with, its check names in the same words.
#[track_caller]
fn finds_and_refuses(clerk: &Clerk, config: &str, words: &[&str]) {
    clerk.finds(config, &[], words);
    let output = clerk.serve(config).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

#[test]
fn what_would_keep_the_server_from_starting_is_found() {
    let clerk = Clerk::start();
    let file = |name: &str, text: &[u8]| std::fs::write(clerk.folder.join(name), text).unwrap();
    clerk.finds("[storage]\npath = \"/tmp\"", &[], &["database: /tmp"]);
    clerk.finds(
        "[storage]\npath = \"none/a.db\"",
        &[],
        &["database:", "nothing can be written in"],
    );
    file("junk.db", &[7; 3000]);
    clerk.finds(
        "[storage]\npath = \"junk.db\"",
        &[],
        &["junk.db", "not a database"],
    );
    file("with-key.db.key", b"corrupted");
    clerk.finds(
        "[storage]\npath = \"with-key.db\"",
        &[],
        &["with-key.db.key"],
    );
    finds_and_refuses(
        &clerk,
        "[audit]\nfile = \"/nonexistent/a.jsonl\"",
        &["/nonexistent/a.jsonl", "audit.file"],
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    finds_and_refuses(
        &clerk,
        &format!("bind = \"{}\"", taken.local_addr().unwrap()),
        &["cannot listen on", "--bind"],
    );
    clerk.finds("", &[("CLERK_MCP_LOG", "loud")], &["CLERK_MCP_LOG"]);
    // Everybody's sign-in would fail.
    let secret = "another-secret-that-is-of-no-application";
    clerk.finds(
        "",
        &[("CLERK_CLIENT_SECRET", secret)],
        &[
            "OAuth application",
            "does not take this client id and secret",
            "CLERK_CLIENT_SECRET",
        ],
    );
    let (_, said) = clerk.check("", &[("CLERK_CLIENT_SECRET", secret)]);
    assert!(
        !said.contains("authorization code"),
        "there is none: {said}"
    );
    // One cause is one fault.
    let (_, said) = clerk.check("", &[("CLERK_CLIENT_SECRET", "")]);
    assert_eq!(said.matches("fault  ").count(), 1, "{said}");
    assert!(said.contains("CLERK_CLIENT_SECRET"), "{said}");
}

#[test]
fn the_audit_log_is_tried_and_neither_made_nor_changed() {
    let clerk = Clerk::start();
    let config = "[audit]\nfile = \"audit.jsonl\"";
    let (code, said) = clerk.check(config, &[]);
    assert_eq!(code, Some(0), "{said}");
    let log = clerk.folder.join("audit.jsonl");
    assert!(!log.exists(), "a check makes no audit log");
    std::fs::write(&log, "{}\n").unwrap();
    let (code, said) = clerk.check(config, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "{}\n");
}

#[test]
fn a_secret_that_everybody_on_the_machine_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let clerk = Clerk::start();
    let file = clerk.folder.join("key.secret");
    std::fs::write(&file, "sk_test_emulate\n").unwrap();
    let allow =
        |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    let check = || {
        clerk.check(
            "[clerk]\nsecret_key_file = \"key.secret\"",
            &[("CLERK_SECRET_KEY", "")],
        )
    };
    allow(0o644);
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("every user of this machine can read"),
        "{said}"
    );
    assert!(said.contains("chmod 600"), "{said}");
    for mode in [0o600, 0o640] {
        allow(mode);
        let (code, said) = check();
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("warning"), "{said}");
    }
}

#[test]
fn of_a_file_that_is_no_toml_nothing_else_is_said() {
    let clerk = Clerk::start();
    let broken = "[sign_in]\nclient_id = \"x\"\n[storage\n";
    clerk.finds(broken, &[("CLERK_CLIENT_ID", "")], &["this is not TOML"]);
    let (_, said) = clerk.check(broken, &[("CLERK_CLIENT_ID", "")]);
    assert!(!said.contains("missing"), "{said}");
    assert_eq!(said.matches("hint:").count(), 1, "{said}");
}

#[test]
fn faults_of_the_configuration_are_named_all_at_once() {
    let clerk = Clerk::start();
    clerk.finds("publik_url = \"x\"", &[], &["publik_url", "public_url"]);
    clerk.finds(
        "public_url = \"http://mcp.example.com\"",
        &[],
        &["public_url", "https"],
    );
    clerk.finds(
        "public_url = \"https://mcp.example.com/path\"",
        &[],
        &["public_url"],
    );
    clerk.finds(
        "public_url = \"https://mcp.example.com\"\nbind = \"0.0.0.0:8788\"",
        &[],
        &["COOKIE_ENCRYPTION_KEY"],
    );
    clerk.finds(
        "",
        &[("COOKIE_ENCRYPTION_KEY", "short")],
        &["COOKIE_ENCRYPTION_KEY"],
    );
    clerk.finds("[clerk]\nsecret_key = \"sk_test_x\"", &[], &["secret_key"]);
    clerk.finds("[sign_in]\nclient_secret = \"x\"", &[], &["client_secret"]);
    clerk.finds(
        "[[access]]\ntools = [\"noSuchTool\"]\neveryone = true",
        &[],
        &["noSuchTool"],
    );
    clerk.finds("[[access]]\ntools = [\"users\"]", &[], &["everyone"]);
    clerk.finds(
        "[[access]]\ntools = [\"users\"]\nclerk = \"instance\"\neveryone = true",
        &[],
        &["everybody", "the power of the secret key"],
    );
    clerk.finds(
        "public_url = \"https://mcp.example.com\"\n[cimd.test]\nhosts = { \"a.example\" = \"127.0.0.1:1\" }",
        &[("COOKIE_ENCRYPTION_KEY", "0123456789abcdef0123456789abcdef0123456789abcdef")],
        &["cimd.test"],
    );
    clerk.finds(
        "[[oauth.clients]]\nclient_id = \"a\"\nname = \"A\"\nredirect_uris = [\"http://evil.example/\"]",
        &[],
        &["redirect_uris"],
    );
    clerk.finds(
        "name = 7\nbind = \"nowhere\"",
        &[("CLERK_SECRET_KEY", "")],
        &["name", "bind", "CLERK_SECRET_KEY"],
    );
    clerk.finds("", &[("CLERK_CLIENT_ID", "")], &["CLERK_CLIENT_ID"]);
    clerk.finds(
        "[oauth]\nfirst_scopes = [\"tools:read\", \"tools:wrote\"]",
        &[],
        &["oauth.first_scopes", "tools:wrote", "[[oauth.scopes]]"],
    );
    clerk.finds("[oauth]\nfirst_scopes = []", &[], &["oauth.first_scopes"]);
}

#[test]
fn clerk_as_the_authorization_server_is_checked() {
    let clerk = Clerk::start();
    let with = |more: &str| format!("[sign_in]\nmode = \"clerk-tokens\"\n{more}");
    let (code, said) = clerk.check(&with("audience = \"resource\""), &[]);
    assert_eq!(code, Some(0), "{said}");
    for word in [
        "authorization server: http",
        "only those entered at Clerk",
        "in order",
    ] {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
    let registration = json!({ "dynamic_oauth_client_registration": true });
    clerk.api(
        "PATCH",
        "/instance/oauth_application_settings",
        &registration,
    );
    let any = with("any_client = true");
    let (code, said) = clerk.check(&any, &[]);
    assert!(
        code == Some(0) && said.contains("may make themselves known"),
        "{said}"
    );
    assert!(
        said.contains("every OAuth client of the instance"),
        "{said}"
    );
    clerk.finds(&with(""), &[], &["meant for this server", "any_client"]);
    let known = clerk.application["client_id"].as_str().unwrap();
    let (code, said) = clerk.check(&with(&format!("client_ids = [\"{known}\"]")), &[]);
    assert!(code == Some(0) && said.contains("The server"), "{said}");
    let wrong = with("client_ids = [\"no-such-client\"]\nmachine = \"mch_nobody\"");
    clerk.finds(&wrong, &[], &["no-such-client", "sign_in.machine"]);
    clerk.finds(&any, &[("CLERK_FRONTEND_API", NOBODY)], &["Frontend API"]);
    clerk.finds(
        &any,
        &[("CLERK_API_URL", NOBODY)],
        &["fault  Clerk's Backend API", "skip   Clerk's keys"],
    );
    // Another instance: its issuer is its own, and its keys are others.
    let other = Clerk::start();
    let misnamed = other.url.replace("127.0.0.1", "localhost");
    clerk.finds(&any, &[("CLERK_FRONTEND_API", &misnamed)], &["issuer"]);
}

/// A Frontend API of another instance: it says of itself what Clerk's does, and its keys are others.
fn another_instance(clerk: &Clerk) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (own, theirs) = (url.clone(), clerk.url.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut first, mut line) = (String::new(), String::new());
            reader.read_line(&mut first).unwrap();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            let path = first.split(' ').nth(1).unwrap();
            let mut body = request("GET", &format!("{theirs}{path}")).send().json();
            for key in body["keys"].as_array_mut().into_iter().flatten() {
                key["kid"] = json!("ins_another");
            }
            let body = body.to_string().replace(&theirs, &own);
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn keys_of_different_instances_are_found_whatever_the_way_of_signing_in() {
    let clerk = Clerk::start();
    let other = another_instance(&clerk);
    let app = format!("[sign_in]\nmode = \"app\"\napp_url = \"{NOBODY}\"\n");
    for sign_in in [
        "",
        &app,
        "[sign_in]\nmode = \"clerk-tokens\"\nany_client = true\n",
    ] {
        let changes = [("CLERK_FRONTEND_API", &*other)];
        let words = [
            "different instances",
            "CLERK_PUBLISHABLE_KEY",
            "CLERK_SECRET_KEY",
        ];
        clerk.finds(sign_in, &changes, &words);
    }
    let (code, said) = clerk.check("", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("Clerk's keys: the Frontend API has"),
        "{said}"
    );
}

#[test]
fn faults_that_only_show_at_clerk_are_named() {
    let clerk = Clerk::start();
    clerk.finds(
        "",
        &[("CLERK_SECRET_KEY", "sk_test_of_another_instance")],
        &["Backend API"],
    );
    clerk.finds("", &[("CLERK_API_URL", NOBODY)], &["Backend API"]);
    clerk.finds("", &[("CLERK_FRONTEND_API", NOBODY)], &["Frontend API"]);
    clerk.finds(
        "",
        &[("CLERK_CLIENT_ID", "no-such-client")],
        &[
            "OAuth application",
            "no-such-client",
            "http://127.0.0.1:8788/callback",
        ],
    );
    clerk.finds(
        "bind = \"127.0.0.1:9999\"",
        &[],
        &["OAuth application", "http://127.0.0.1:9999/callback"],
    );
    // Asked for organizations, which the application does not allow.
    clerk.finds(
        "[sign_in]\norganizations = true",
        &[],
        &["OAuth application", "user:org:read"],
    );
    clerk.finds(
        "",
        &[("CLERK_CLIENT_SECRET", "")],
        &["OAuth application", "CLERK_CLIENT_SECRET"],
    );
    clerk.finds(
        "[storage]\npath = \"no/such/folder/clerk-mcp.db\"",
        &[],
        &["database", "no/such/folder"],
    );
    // Several at once.
    clerk.finds(
        "bind = \"127.0.0.1:9999\"\n[storage]\npath = \"no/such/folder/clerk-mcp.db\"",
        &[],
        &["database", "OAuth application", "2 faults"],
    );
}

const API: &str = "[api]\nbase_url = \"https://api.example.com\"\n";
const TOOL: &str =
    "[[tools]]\nname = \"t\"\ndescription = \"d\"\nmethod = \"GET\"\npath = \"/t\"\n";
const TICKET: &str = "[sign_in]\nsession = \"ticket\"\n";

/// A configuration with this credential for all tools.
fn with_credential(sign_in: &str, credential: &str) -> String {
    format!("{sign_in}{API}credential = {credential}\n{TOOL}")
}

#[test]
fn credentials_that_the_way_of_signing_in_does_not_have_are_refused_with_their_line() {
    let clerk = Clerk::start();
    let app = "[sign_in]\nmode = \"app\"\napp_url = \"http://127.0.0.1:9\"\n";
    for (sign_in, credential, line, words) in [
        (
            "",
            "\"session\"",
            3,
            ["session tokens", "session = \"ticket\""],
        ),
        (
            "",
            "{ jwt_template = \"x\" }",
            3,
            ["session tokens", "mode = \"app\""],
        ),
        (app, "\"oauth\"", 6, ["OAuth provider", "\"session\""]),
        (
            app,
            "\"m2m\"",
            6,
            ["machine's secret key", "CLERK_MACHINE_SECRET_KEY"],
        ),
        (
            "",
            "\"m2m\"",
            3,
            ["machine's secret key", "CLERK_MACHINE_SECRET_KEY"],
        ),
    ] {
        let at = format!("clerk-mcp.toml:{line}");
        let config = with_credential(sign_in, credential);
        clerk.finds(&config, &[], &[&at, words[0], words[1]]);
    }
    // Clerk issues the tokens: a session by a ticket, or none.
    let tokens = "[sign_in]\nmode = \"clerk-tokens\"\nany_client = true\n";
    for credential in ["\"session\"", "{ jwt_template = \"x\" }"] {
        let config = with_credential(tokens, credential);
        let words = ["clerk-mcp.toml:6", "session tokens", "session = \"ticket\""];
        clerk.finds(&config, &[], &words);
        let config = with_credential(&format!("{tokens}session = \"ticket\"\n"), credential);
        let (code, said) = clerk.check(&config, &[]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("ticket sessions: http"), "{said}");
        assert!(!said.contains("no effect"), "{said}");
    }
    // Of one tool alone.
    let one = format!(
        "{}credential = \"session\"\n",
        with_credential("", "\"none\"")
    );
    clerk.finds(&one, &[], &["clerk-mcp.toml:9", "session tokens"]);
    clerk.finds(
        "[sign_in]\nsession = \"cookie\"",
        &[],
        &["clerk-mcp.toml:2", "session = \"ticket\""],
    );
    for credential in ["\"oauth\"", "\"none\""] {
        let (code, said) = clerk.check(&with_credential("", credential), &[]);
        assert_eq!(code, Some(0), "{credential}: {said}");
    }
}

#[test]
fn a_machines_key_and_the_way_of_tickets_are_tried_and_nothing_is_made() {
    let clerk = Clerk::start();
    let machine = clerk.api("POST", "/machines", &json!({ "name": "m" }));
    let key = machine["secret_key"].as_str().unwrap();
    let config = with_credential("", "\"m2m\"");
    let variable = "CLERK_MACHINE_SECRET_KEY";
    let (code, said) = clerk.check(&config, &[(variable, key)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("M2M tokens") && !said.contains(key), "{said}");
    for (key, words) in [
        ("ak_of_another_instance_0123456789", ["M2M tokens", "401"]),
        ("sk_test_emulate", [variable, "whole instance"]),
        ("abc", [variable, "ak_"]),
    ] {
        clerk.finds(&config, &[(variable, key)], &words);
    }
    let tokens = format!("/m2m_tokens?subject={}", machine["id"].as_str().unwrap());
    let made = clerk.api("GET", &tokens, &Value::Null);
    assert_eq!(made["total_count"], 0);

    let config = with_credential(TICKET, "\"session\"");
    let (code, said) = clerk.check(&config, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ticket sessions"), "{said}");
    clerk.finds(
        &config,
        &[("CLERK_FRONTEND_API", NOBODY)],
        &["ticket sessions"],
    );
}

/// A typing mistake in a variable's name must not change nothing in silence.
#[test]
fn a_variable_that_nothing_reads_is_told_at_the_start_and_by_the_check() {
    let clerk = Clerk::start();
    let warning = "warning: CLERK_MCP_TRUSTED_PROXY: no setting has this variable: it changes nothing\n\
                   hint: did you mean CLERK_MCP_TRUSTED_PROXIES?";
    let typo = ("CLERK_MCP_TRUSTED_PROXY", "10.0.0.2");
    let (code, said) = clerk.check("", &[typo, ("CLERK_MCP_BIN", "/bin/clerk-mcp")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(warning), "{said}");
    assert_eq!(said.matches("no setting has").count(), 1, "{said}");

    let mut server = clerk.serve("");
    let server = server.env(typo.0, typo.1).stderr(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(server.stderr.take().unwrap()).lines() {
        said.push_str(&format!("{}\n", line.unwrap()));
        if said.contains("serving ") {
            break;
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(said.contains(warning), "{said}");

    // Where something is missing, that is why.
    let meant = [("CLERK_CLIENT_ID", ""), ("CLERK_MCP_CLIENT_ID", "client_1")];
    clerk.finds(
        "",
        &meant,
        &[
            "`client_id` is missing",
            "hint: did you mean CLERK_CLIENT_ID?",
        ],
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_a_fault_and_not_missing() {
    use std::os::unix::ffi::OsStrExt as _;

    let clerk = Clerk::start();
    let mut check = clerk.serve("");
    let bytes = std::ffi::OsStr::from_bytes(&[0xfe; 32]);
    check.arg("--check").env("COOKIE_ENCRYPTION_KEY", bytes);
    let output = check.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("COOKIE_ENCRYPTION_KEY: its value is no text (UTF-8)\nhint: set it again"),
        "{said}"
    );
}

/// A wrong key, an address where nobody is: each is one fault, and what could not be tried is no other.
#[test]
fn one_cause_is_one_fault() {
    let clerk = Clerk::start();
    let app = "[sign_in]\nmode = \"app\"\napp_url = \"http://127.0.0.1:1\"";
    let tokens = "[sign_in]\nmode = \"clerk-tokens\"\naudience = \"resource\"\nmachine = \"mch_a\"";
    let keys = "skip   Clerk's keys: Clerk's Backend API has to answer first";
    let wrong_key = ("CLERK_SECRET_KEY", "sk_test_of_another_instance");
    let no_backend = ("CLERK_API_URL", NOBODY);
    let no_frontend = ("CLERK_FRONTEND_API", NOBODY);
    for (config, change, count, words) in [
        ("", wrong_key, 1, [keys, "skip   OAuth application: "]),
        ("", no_backend, 1, [keys, "hint: nothing was sent"]),
        (
            "",
            no_frontend,
            1,
            [
                "skip   Clerk's keys: Clerk's Frontend API has",
                "skip   the OAuth application's secret: ",
            ],
        ),
        // The application cannot be reached either.
        (app, wrong_key, 2, [keys, "fault  application: "]),
        (
            tokens,
            wrong_key,
            1,
            [keys, "skip   sign_in.client_ids, sign_in.machine: "],
        ),
        (
            tokens,
            no_frontend,
            2,
            ["fault  sign_in.machine: ", "fault  Clerk's Frontend API"],
        ),
        (
            "",
            ("CLERK_CLIENT_SECRET", ""),
            1,
            ["CLERK_CLIENT_SECRET is not set", "confidential"],
        ),
    ] {
        clerk.finds(config, &[change], &words);
        let (code, said) = clerk.check(config, &[change]);
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(said.matches("fault  ").count(), count, "{said}");
    }
}

#[test]
fn an_address_that_is_not_this_machines_is_told_from_a_port_that_is_taken() {
    let clerk = Clerk::start();
    // TEST-NET-1 (RFC 5737): nobody's.
    let config = "bind = \"192.0.2.1:8788\"\npublic_url = \"http://127.0.0.1:8788\"";
    finds_and_refuses(
        &clerk,
        config,
        &["hint: this machine does not have that address"],
    );
    clerk.finds(
        "[storage]\npath = \"clerk-mcp.toml\"",
        &[],
        &["not a database", "hint: name the server's own file"],
    );
}
