//! `clerk-mcp impersonate`: acting as somebody else, on the record.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clerk::{
    BoxFuture, Client, HttpTransport,
    frontend::FrontendClient,
    oauth::{FrontendApi, PublishableKey},
};
use mcp::{
    audit::{Audit, TracingAudit},
    impersonation::{
        Background, Ended, Impersonation, ImpersonationError, Impersonator, Order, Parts, Policy,
        Reason,
    },
};
use server::impersonation_journal::FileJournal;
use tokio::task::JoinSet;

use crate::{
    arguments::Connection,
    audit_log::AuditLog,
    connect,
    environment::{self, CLERK_FRONTEND_API, CLERK_MCP_LOG, CLERK_PUBLISHABLE_KEY},
    failure::Failure,
    impersonation_journal, logging,
    printer::Printer,
    signals,
};

/// A session token is good for a minute; the next one comes before that.
const NEXT_TOKEN: Duration = Duration::from_secs(45);

/// How long Clerk may take to end what was left open.
const LAST_WORDS: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct ImpersonateArguments {
    /// As whom: a user id, or an e-mail address (the person of that address who signed in last)
    #[arg(required_unless_present = "revoke_all")]
    user: Option<String>,
    /// Who acts: your own user id, which the session names
    #[arg(long, value_name = "USER_ID", required_unless_present = "revoke_all")]
    actor: Option<String>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", required_unless_present = "revoke_all")]
    reason: Option<String>,
    /// How long the session may last, such as 90s or 10m; at most 30m
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = duration)]
    lifetime: Duration,
    /// Print session tokens instead of a sign-in link: one now, and a fresh one every 45 seconds,
    /// until the time is up or Ctrl-C ends the session
    #[arg(long)]
    token: bool,
    /// With --token: tokens of this JWT template
    #[arg(long, value_name = "NAME", requires = "token")]
    template: Option<String>,
    /// With --token: print one token and end the session; the token is good for its minute
    #[arg(long, requires = "token")]
    once: bool,
    /// Allow it on a production instance
    #[arg(long)]
    allow_live: bool,
    /// End everything that this command has started and that may go on
    #[arg(long, conflicts_with_all = ["user", "actor", "reason", "token", "allow_live"])]
    revoke_all: bool,
    /// With --revoke-all: end what a server has started, which keeps it in this folder beside its
    /// database (clerk-mcp.db.impersonations)
    #[arg(long, value_name = "FOLDER", requires = "revoke_all")]
    journal: Option<PathBuf>,
    /// Append the audit's JSON lines to this file (default: standard error)
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,
    /// Secret key (better: CLERK_SECRET_KEY, which other users of this machine cannot see)
    #[arg(long, value_name = "KEY")]
    secret_key: Option<String>,
    /// Backend API address [default: `CLERK_API_URL`, else Clerk's own]
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// Frontend API address, for --token [default: `CLERK_FRONTEND_API`, else `CLERK_PUBLISHABLE_KEY`'s]
    #[arg(long, value_name = "URL")]
    frontend_api: Option<String>,
}

/// Starts what is asked for, or ends everything.
pub(crate) async fn run(
    arguments: &ImpersonateArguments,
    printer: &Printer,
) -> Result<(), Failure> {
    let terminated = signals::terminated();
    let audit = audit(arguments)?;
    let connection = Connection {
        secret_key: arguments.secret_key.clone(),
        api_url: arguments.api_url.clone(),
        emulate: false,
        seed: None,
    };
    let client = connect::client(&connection, printer)?;
    let policy = Policy::default()
        .allow_live(arguments.allow_live)
        .with_ceiling(arguments.lifetime)
        .map_err(|error| Failure::usage(format!("--for: {error}")))?;
    let tasks = Arc::new(Tasks::default());
    let impersonator = Impersonator::new(Parts {
        client: client.clone(),
        policy,
        journal: match &arguments.journal {
            Some(folder) => Arc::new(named_journal(folder)?),
            None => Arc::new(impersonation_journal::of_user()?),
        },
        audit,
        background: tasks.clone(),
    });
    let mut terminated = pin!(terminated);
    let begun = tokio::select! {
        begun = begin(arguments, &client, &impersonator, printer) => begun,
        // What was half begun is dropped, and a task ends it.
        signal = &mut terminated => Err(Failure::failed(format!("stopped by {signal}"))),
    };
    let result = match begun {
        Ok(Some(acting)) => {
            let stopped = tokio::select! {
                stopped = print_tokens(arguments, &acting, printer) => stopped,
                _ = &mut terminated => Ok(()),
            };
            let ended = acting.end().await.map_err(failure);
            if ended.is_ok() && !arguments.once {
                printer.note("clerk-mcp: the session is ended");
            }
            stopped.and(ended.map(drop))
        }
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    tasks.finish().await.and(result)
}

/// Does what is asked for, up to a session whose tokens are to be printed.
async fn begin(
    arguments: &ImpersonateArguments,
    client: &Client,
    impersonator: &Impersonator,
    printer: &Printer,
) -> Result<Option<Impersonation>, Failure> {
    if arguments.revoke_all {
        return revoke_all(impersonator, printer).await.map(|()| None);
    }
    let reason = Reason::parse(arguments.reason.as_deref().unwrap_or_default())
        .map_err(|error| Failure::usage(format!("--reason: {error}")))?;
    let order = Order {
        operator: arguments.actor.as_deref().unwrap_or_default().trim(),
        person: arguments.user.as_deref().unwrap_or_default(),
        reason: &reason,
        client: Some(concat!("clerk-mcp impersonate ", env!("CARGO_PKG_VERSION"))),
        client_id: None,
    };
    let lifetime = shown(impersonator.policy().ceiling());
    if arguments.token {
        let frontend = frontend(arguments.frontend_api.as_deref(), client)?;
        let begun = impersonator.session(&frontend, &order).await;
        let acting = begun.map_err(failure)?;
        if !arguments.once {
            printer.note(&format!(
                "clerk-mcp: acting as {} for {lifetime} at most; Ctrl-C ends the session",
                acting.started().user_id,
            ));
        }
        return Ok(Some(acting));
    }
    let link = impersonator.link(&order).await.map_err(failure)?;
    printer.note(&format!(
        "clerk-mcp: this link signs in as {} once, within {lifetime}, for {lifetime} at most; \
         `clerk-mcp impersonate --revoke-all` ends it before: the session, not what is granted to \
         OAuth clients at Clerk with it meanwhile",
        link.started.user_id,
    ));
    printer.result(link.url.expose()).map(|()| None)
}

/// Prints one token, or one after the other until the time is up.
async fn print_tokens(
    arguments: &ImpersonateArguments,
    acting: &Impersonation,
    printer: &Printer,
) -> Result<(), Failure> {
    let template = arguments.template.as_deref();
    if arguments.once {
        return print_token(acting, template, printer).await;
    }
    let endless = async {
        loop {
            if let Err(failure) = print_token(acting, template, printer).await {
                return failure;
            }
            tokio::time::sleep(NEXT_TOKEN).await;
            if let Err(error) = acting.touch().await {
                return failure(error);
            }
        }
    };
    match tokio::time::timeout(arguments.lifetime, endless).await {
        Ok(failure) => Err(failure),
        // The time is up.
        Err(_) => Ok(()),
    }
}

async fn print_token(
    acting: &Impersonation,
    template: Option<&str>,
    printer: &Printer,
) -> Result<(), Failure> {
    let token = acting.token(template).await.map_err(failure)?;
    printer.result(token.expose())
}

async fn revoke_all(impersonator: &Impersonator, printer: &Printer) -> Result<(), Failure> {
    let revoked = impersonator.revoke_all().await.map_err(failure)?;
    for (started, ended) in &revoked.ended {
        let what = match ended {
            Ended::Unused => "a link that nobody used is withdrawn",
            Ended::Sessions(0) => "it had ended before",
            Ended::Sessions(_) => "its session is ended",
        };
        let who = format!("{} as {}", started.operator, started.user_id);
        printer.result(&format!("{}  {who}: {what}", started.id))?;
    }
    if revoked.elsewhere > 0 {
        printer.warn(&format!(
            "{} of another instance may go on\nhint: run it with that instance's CLERK_SECRET_KEY",
            revoked.elsewhere
        ));
    } else if revoked.ended.is_empty() && revoked.failed.is_empty() {
        printer.note("clerk-mcp: nothing was going on");
    }
    match revoked.failed.first() {
        None => Ok(()),
        Some((started, error)) => Err(Failure::failed(format!(
            "{} of {} may go on; {}: {error}",
            revoked.failed.len(),
            revoked.failed.len() + revoked.ended.len(),
            started.id,
        ))),
    }
}

/// The journal of a server, which must be there: a name that nothing has is another folder's, and that
/// one's sessions would go on.
fn named_journal(folder: &Path) -> Result<FileJournal, Failure> {
    if folder.is_dir() {
        return Ok(FileJournal::at(folder.to_owned()));
    }
    Err(Failure::usage(format!(
        "--journal: {} is no folder\n\
         hint: it stands beside the server's database, such as clerk-mcp.db.impersonations, once that \
         server has started an impersonation",
        folder.display()
    )))
}

/// Where the rows go: nobody acts as somebody else off the record.
fn audit(arguments: &ImpersonateArguments) -> Result<Arc<dyn Audit>, Failure> {
    logging::start(arguments.audit_log.is_none())?;
    if let Some(path) = &arguments.audit_log {
        return Ok(Arc::new(AuditLog::open(path)?));
    }
    if environment::read(CLERK_MCP_LOG)?.is_some_and(|level| level.eq_ignore_ascii_case("off")) {
        return Err(Failure::usage(format!(
            "{CLERK_MCP_LOG}=off would keep the audit off the record\n\
             hint: name a file with --audit-log"
        )));
    }
    Ok(Arc::new(TracingAudit))
}

/// The Frontend API: the given one, or that of the environment.
pub(crate) fn frontend(given: Option<&str>, client: &Client) -> Result<FrontendClient, Failure> {
    let parse = |source: &str, text: &str| {
        FrontendApi::parse(text).map_err(|error| Failure::usage(format!("{source}: {error}")))
    };
    let api = if let Some(text) = given {
        parse("--frontend-api", text)?
    } else if let Some(text) = environment::read(CLERK_FRONTEND_API)? {
        parse(CLERK_FRONTEND_API, &text)?
    } else if let Some(text) = environment::read(CLERK_PUBLISHABLE_KEY)? {
        let key = PublishableKey::parse(&text)
            .map_err(|error| Failure::usage(format!("{CLERK_PUBLISHABLE_KEY}: {error}")))?;
        if key.instance() != client.instance() {
            return Err(Failure::usage(format!(
                "{CLERK_PUBLISHABLE_KEY} is of a {} instance, the secret key of a {} one\n\
                 hint: copy both from the same page of the Clerk dashboard (API keys)",
                key.instance(),
                client.instance()
            )));
        }
        key.frontend_api().clone()
    } else if client.api_url().is_loopback() {
        // A local Clerk is both APIs at one address.
        parse("the Backend API's address", client.api_url().as_str())?
    } else {
        return Err(Failure::usage(
            "a session token needs the Frontend API's address\n\
             hint: set CLERK_PUBLISHABLE_KEY or CLERK_FRONTEND_API (Clerk dashboard, API keys)",
        ));
    };
    Ok(FrontendClient::new(api, Arc::new(HttpTransport::new())))
}

/// What was wrong with the order itself is a matter of usage.
fn failure(error: ImpersonationError) -> Failure {
    match error.code.as_str() {
        "invalid_arguments" | "invalid_request" | "live_instance" => Failure::usage(error),
        _ => Failure::failed(error),
    }
}

/// Work that outlives whoever began it, and that this program waits for at its end.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<JoinSet<()>>);

impl Background for Tasks {
    fn run(&self, work: BoxFuture<'static, ()>) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(work);
    }
}

impl Tasks {
    async fn finish(&self) -> Result<(), Failure> {
        let tasks = {
            let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        let finished = tokio::time::timeout(LAST_WORDS, tasks.join_all()).await;
        finished.map(drop).map_err(|_| {
            Failure::failed(
                "Clerk did not answer in time: a session may go on\n\
                 hint: `clerk-mcp impersonate --revoke-all` ends it",
            )
        })
    }
}

/// `90s`, `10m`.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix('m') {
        Some(digits) => (digits, 60),
        None => (text.strip_suffix('s').unwrap_or_default(), 1),
    };
    let number = digits.parse::<u32>();
    number
        .map(|number| Duration::from_secs(u64::from(number) * unit))
        .map_err(|_| "write seconds or minutes, such as 90s or 10m".to_owned())
}

fn shown(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
