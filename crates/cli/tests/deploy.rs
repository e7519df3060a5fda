//! What is shipped to run the server: the example configuration, the guides' configurations, and the
//! probe that containers use.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use server::config::{Config, Environment, Flags, Sources};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const KEY: &str = "9f2c1b7d4e8a605311f0c6d2b59ae874";

/// The Clerk instance that the example is checked against: its application is the example's.
const SEED: &str = r#"
[[oauth_applications]]
name = "MCP server"
client_id = "your_client_id"
client_secret = "emulated-client-secret"
redirect_uris = ["https://mcp.example.com/callback"]
scopes = ["openid", "profile", "email", "offline_access", "user:org:read"]
"#;

fn clerk_mcp() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"));
    command.env_clear();
    command
}

/// A process, and what it said up to the line with its address.
struct Running {
    child: Child,
    said: String,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("://") {
            said.push_str(&lines.next().unwrap().unwrap());
            said.push('\n');
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, said }
    }

    /// The address that the last word of its line names.
    fn address(&self) -> &str {
        let word = self.said.split_whitespace().next_back().unwrap();
        word.trim_start_matches("http://")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("deploy-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// The example as it is, with the secrets that it names; only what differs from machine to machine
/// is told by variables, as docs/CONFIGURATION.md allows.
fn example(name: &str, clerk: &str) -> Command {
    example_in(&folder(name), clerk)
}

fn example_in(folder: &Path, clerk: &str) -> Command {
    std::fs::copy(
        format!("{ROOT}/examples/clerk-mcp.toml"),
        folder.join("clerk-mcp.toml"),
    )
    .unwrap();
    std::fs::create_dir_all(folder.join("secrets")).unwrap();
    for (file, secret) in [
        ("clerk-secret-key", "sk_test_emulate"),
        ("clerk-client-secret", "emulated-client-secret"),
        ("cookie-encryption-key", KEY),
    ] {
        let file = folder.join("secrets").join(file);
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        // As the guide has them: 640.
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    }
    let publishable = format!("pk_test_{}", STANDARD.encode(format!("{clerk}$")));
    let mut command = clerk_mcp();
    command
        .arg("serve")
        .args(["--config", "clerk-mcp.toml", "--database", "clerk-mcp.db"])
        .env("CLERK_API_URL", format!("http://{clerk}"))
        .env("CLERK_FRONTEND_API", format!("http://{clerk}"))
        .env("CLERK_PUBLISHABLE_KEY", publishable)
        .current_dir(folder);
    command
}

fn emulate(name: &str) -> Running {
    let folder = folder(name);
    std::fs::write(folder.join("seed.toml"), SEED).unwrap();
    let arguments = ["emulate", "--port", "0", "--seed", "seed.toml"];
    Running::start(clerk_mcp().args(arguments).current_dir(folder))
}

#[test]
fn serve_accepts_the_example_and_the_probe_finds_it_ready() {
    let clerk = emulate("example-clerk");
    let checked = example("example-check", clerk.address())
        .args(["--check", "--bind", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    assert!(said(&checked).contains("OAuth application: MCP server"));
    assert!(!said(&checked).contains("warning"), "{}", said(&checked));

    let server =
        Running::start(example("example-serve", clerk.address()).args(["--bind", "127.0.0.1:0"]));
    assert!(server.said.contains("https://mcp.example.com/mcp"));
    let probe = clerk_mcp()
        .arg("healthcheck")
        .env("CLERK_MCP_BIND", server.address())
        .output()
        .unwrap();
    assert!(probe.status.success(), "{}", said(&probe));
    assert_eq!(said(&probe), "ready\n");
    // However somebody names it. Its public URL is https, so that other paths redirect.
    for named in [
        server.address().to_owned(),
        format!("http://{}", server.address()),
        format!("http://{}/", server.address()),
        format!("http://{}/readyz", server.address()),
    ] {
        let probe = clerk_mcp().args(["healthcheck", &named]).output().unwrap();
        assert!(probe.status.success(), "{named}: {}", said(&probe));
    }
    // As `serve` reads it, and nothing else of the file.
    let folder = folder("example-probe");
    let toml = format!("bind = {:?}\nno_setting = true\n", server.address());
    for name in ["clerk-mcp.toml", "other.toml"] {
        std::fs::write(folder.join(name), &toml).unwrap();
    }
    for arguments in [
        &["healthcheck"][..],
        &["healthcheck", "--config", "other.toml"],
    ] {
        let probe = clerk_mcp()
            .args(arguments)
            .current_dir(&folder)
            .env("CLERK_MCP_DATABASE", "of-the-image.db")
            .output()
            .unwrap();
        assert!(probe.status.success(), "{arguments:?}: {}", said(&probe));
    }
    std::fs::write(folder.join("other.toml"), "bind = 8788\n").unwrap();
    let wrong = clerk_mcp()
        .args(["healthcheck", "--config", "other.toml"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        said(&wrong).contains("other.toml:1 (bind)"),
        "{}",
        said(&wrong)
    );
    let elsewhere = format!("http://{}/nothing/here", server.address());
    let probe = clerk_mcp()
        .args(["healthcheck", &elsewhere])
        .output()
        .unwrap();
    assert_eq!(probe.status.code(), Some(1));
    assert!(
        said(&probe).contains("hint: that is not how /readyz"),
        "{}",
        said(&probe)
    );
}

/// To another instance everybody in the database would be unknown, and what is kept for them deleted.
#[test]
fn a_database_stays_with_its_clerk_instance() {
    let (ours, other) = (emulate("instance-a"), emulate("instance-b"));
    let folder = folder("instance");
    let server = |clerk: &Running, argument: &str| {
        let mut command = example_in(&folder, clerk.address());
        command.args(["--bind", "127.0.0.1:0"]);
        command.args(Some(argument).filter(|argument| !argument.is_empty()));
        command
    };
    drop(Running::start(&mut server(&ours, "")));
    for argument in ["", "--check"] {
        let refused = server(&other, argument).output().unwrap();
        let text = said(&refused);
        assert!(!refused.status.success(), "{argument}: {text}");
        for words in [
            format!("belongs to the Clerk instance at http://{}", ours.address()),
            format!("the one at http://{}", other.address()),
            "hint: check CLERK_PUBLISHABLE_KEY".to_owned(),
        ] {
            assert!(text.contains(&words), "{argument}: no {words:?} in {text}");
        }
    }
    let checked = server(&ours, "--check").output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    drop(Running::start(&mut server(&ours, "")));
}

#[test]
fn the_probe_fails_where_the_server_is_not_ready_or_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let read = stream.read(&mut head).unwrap();
        let answer =
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 14\r\n\r\nshutting down\n";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let probe = |url: &str| clerk_mcp().args(["healthcheck", url]).output().unwrap();
    let refused = probe(&url);
    assert!(
        answering
            .join()
            .unwrap()
            .starts_with("GET /readyz HTTP/1.1")
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("503 Service Unavailable: shutting down"));

    // Nobody's: the port that is free now could be another test's.
    let gone = probe("http://127.0.0.1:1/readyz");
    assert_eq!(gone.status.code(), Some(1));
    assert!(said(&gone).contains("hint:"), "{}", said(&gone));
    assert_eq!(probe("no URL").status.code(), Some(2));
}

/// Each configuration that a guide shows is one that the server takes, given the rest.
#[test]
fn the_guides_show_configurations_that_load() {
    let mut loaded = 0;
    for guide in ["deploy", "remote-server", "impersonation"] {
        let text = std::fs::read_to_string(format!("{ROOT}/docs/guides/{guide}.md")).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let (block, _) = block.split_once("\n```").unwrap();
            let mut env = Environment::empty()
                .with("CLERK_SECRET_KEY", "sk_test_emulate")
                .with("CLERK_FRONTEND_API", "https://clerk.example.com")
                .with("CLERK_CLIENT_ID", "client")
                .with("CLERK_MCP_PUBLIC_URL", "https://mcp.example.com")
                .with("COOKIE_ENCRYPTION_KEY", KEY);
            if block.contains("\"example-agent\"") {
                env = env.with("CLERK_MCP_CLIENT_SECRET_EXAMPLE_AGENT", KEY);
            }
            let sources = Sources {
                toml: Some((guide, block)),
                env: &env,
                flags: Flags::default(),
                read_file: &|path| std::fs::read_to_string(path),
                is_open_to_all: &|_| false,
                base_dir: Path::new("."),
                tools: &[],
            };
            let warnings = Config::load(sources)
                .unwrap_or_else(|faults| panic!("{guide}: {faults:?}\n{block}"))
                .1;
            assert!(warnings.is_empty(), "{guide}: {warnings:?}");
            loaded += 1;
        }
    }
    assert!(loaded >= 3, "the guides are read: {loaded}");
}

/// The unit, the example and the image agree on where things are.
#[test]
fn the_packaging_agrees_on_its_paths() {
    let read = |path: &str| std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap();
    let unit = read("packaging/systemd/clerk-mcp.service");
    let guide = read("docs/guides/deploy.md");
    let image = read("Dockerfile");
    let example = read("examples/clerk-mcp.toml");
    assert!(unit.contains("serve --config /etc/clerk-mcp/clerk-mcp.toml"));
    assert!(guide.contains("--config /etc/clerk-mcp/clerk-mcp.toml --check"));
    assert!(image.contains("WORKDIR /etc/clerk-mcp\n"));
    assert!(unit.contains("StateDirectory=clerk-mcp\n"));
    for text in [&guide, &image, &example] {
        assert!(text.contains("/var/lib/clerk-mcp/clerk-mcp.db"));
    }
    for line in example.lines().filter(|line| line.contains("_file = ")) {
        let file = line.split('"').nth(1).unwrap();
        assert!(guide.contains(&format!("/etc/clerk-mcp/{file}")), "{file}");
    }
}

/// A workspace member that the image's build does not see ends it.
#[test]
fn the_image_is_built_of_every_workspace_member() {
    let read = |path: &str| std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap();
    let manifest = read("Cargo.toml");
    let seen = read(".dockerignore");
    let (_, members) = manifest.split_once("\nmembers = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.contains(&"crates/*"), "{members:?}");
    for member in members {
        let folder = member.trim_end_matches("/*");
        let is_seen = seen
            .lines()
            .any(|line| line == format!("!{folder}") || line == format!("!{folder}/Cargo.toml"));
        assert!(is_seen, ".dockerignore leaves {member} out");
    }
}

/// The README's first command names no program: of the workspace's there must be one that it means.
#[test]
fn cargo_run_means_this_program() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let meant: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["default_run"].as_str())
        .collect();
    assert_eq!(meant, ["clerk-mcp"]);
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    assert!(readme.contains("cargo run --release -- dev"));
}
