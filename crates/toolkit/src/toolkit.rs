use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    pin::pin,
    time::Duration,
};

use clerk::{BoxFuture, Client};
use futures_util::future::{Either, select};
use serde_json::{Map, Value};

use crate::{
    arguments::{self, Arguments},
    auth_context::AuthContext,
    error::ToolError,
    find_users,
    operation::{Category, ClerkOperation, Run},
    operations,
    pattern::{self, PatternError, Patterns},
    request, scope, session_claims, shape,
    subject::{Subject, SubjectLine},
    tool::{Bound, Tool},
};

/// How long Clerk has to name what a call takes away: somebody waits for the question.
const SUBJECT_PATIENCE: Duration = Duration::from_secs(3);

/// A set of tools with the client they use, for one principal.
#[derive(Clone, Debug)]
pub struct ClerkToolkit {
    client: Client,
    session: Option<AuthContext>,
    allow_private_metadata: bool,
    read_only: bool,
    tools: Vec<Tool>,
}

/// Chooses the tools of a [`ClerkToolkit`].
#[derive(Debug)]
pub struct ClerkToolkitBuilder {
    client: Client,
    session: Option<AuthContext>,
    allow_private_metadata: bool,
    read_only: bool,
    patterns: Option<Patterns>,
    only: Option<BTreeSet<String>>,
}

/// Why a toolkit cannot be built.
#[derive(Debug)]
pub enum BuildError {
    /// A tool pattern is wrong.
    Pattern(PatternError),
    /// The patterns name only tools that this toolkit does not have.
    Empty {
        /// What they name.
        named: Vec<&'static str>,
        /// What took them away.
        reason: &'static str,
    },
}

/// A call whose arguments are right and whose caller may make it. Only [`ClerkToolkit::prepare`]
/// makes one.
#[derive(Clone, Debug)]
pub struct Prepared {
    tool: Tool,
    arguments: Arguments,
}

impl Prepared {
    /// The tool that is called.
    #[must_use]
    pub fn tool(&self) -> &Tool {
        &self.tool
    }
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The result, always an object.
    pub structured: Map<String, Value>,
    /// Clerk's trace id of the last request.
    pub clerk_trace_id: Option<String>,
}

/// Where long calls tell how far they are.
pub trait Progress: Send + Sync {
    /// `done` of `total` users were read.
    fn report(&self, done: u64, total: Option<u64>, message: String) -> BoxFuture<'_, ()>;
}

/// A [`Progress`] that nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Progress for Quiet {
    fn report(&self, _: u64, _: Option<u64>, _: String) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl ClerkToolkitBuilder {
    /// Binds the toolkit to a signed-in person.
    #[must_use]
    pub fn auth_context(self, session: AuthContext) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// Lets `private_metadata` through in results. Off unless set.
    #[must_use]
    pub fn allow_private_metadata(self, allow: bool) -> Self {
        Self {
            allow_private_metadata: allow,
            ..self
        }
    }

    /// Offers only tools that change nothing, whatever the patterns say. Off unless set.
    #[must_use]
    pub fn read_only(self, read_only: bool) -> Self {
        Self { read_only, ..self }
    }

    /// Offers only these tools. All unless set.
    #[must_use]
    pub fn patterns(self, patterns: Patterns) -> Self {
        Self {
            patterns: Some(patterns),
            ..self
        }
    }

    /// Offers of the tools that the patterns select only these, by name. Somebody may be allowed
    /// none of them: unlike patterns, this can leave a toolkit without tools.
    #[must_use]
    pub fn only(self, names: BTreeSet<String>) -> Self {
        Self {
            only: Some(names),
            ..self
        }
    }

    /// Builds it.
    ///
    /// # Errors
    /// When a pattern names nothing, or nothing that remains.
    pub fn build(self) -> Result<ClerkToolkit, BuildError> {
        let bound = Bound {
            user: self.session.is_some(),
            organization: self
                .session
                .as_ref()
                .is_some_and(|s| s.organization_id().is_some()),
        };
        let rows: Vec<_> = operations::all().collect();
        let catalogue: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (row.category.name(), row.name))
            .collect();
        let chosen = match &self.patterns {
            Some(patterns) => patterns.select(&catalogue).map_err(BuildError::Pattern)?,
            None => (0..rows.len()).collect(),
        };
        let chosen: Vec<_> = chosen
            .iter()
            .filter_map(|&index| rows.get(index).copied())
            .collect();
        let tools: Vec<Tool> = chosen
            .iter()
            .filter(|row| !self.read_only || row.hints.read_only)
            .filter_map(|row| Tool::new(row, bound))
            .collect();
        if tools.is_empty() {
            let reason = if self.read_only {
                "--read-only"
            } else {
                "the bound session"
            };
            return Err(BuildError::Empty {
                named: chosen.iter().map(|r| r.name).collect(),
                reason,
            });
        }
        let allowed = |tool: &Tool| {
            let only = self.only.as_ref();
            only.is_none_or(|names| names.contains(tool.name()))
        };
        Ok(ClerkToolkit {
            client: self.client,
            session: self.session,
            allow_private_metadata: self.allow_private_metadata,
            read_only: self.read_only,
            tools: tools.into_iter().filter(allowed).collect(),
        })
    }
}

impl ClerkToolkit {
    /// Begins a toolkit of all tools, unbound.
    #[must_use]
    pub fn builder(client: Client) -> ClerkToolkitBuilder {
        ClerkToolkitBuilder {
            client,
            session: None,
            allow_private_metadata: false,
            read_only: false,
            patterns: None,
            only: None,
        }
    }

    /// The tools, in table order.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// All tools, in table order. The same as [`tools`](Self::tools), by the name that
    /// `@clerk/agent-toolkit` gave it.
    #[must_use]
    pub fn all_tools(&self) -> &[Tool] {
        &self.tools
    }

    /// The tools for users.
    #[must_use]
    pub fn users(&self) -> Vec<Tool> {
        self.category(Category::Users)
    }

    /// The tools for organizations, their members and invitations.
    #[must_use]
    pub fn organizations(&self) -> Vec<Tool> {
        self.category(Category::Organizations)
    }

    /// The tools for invitations to the application.
    #[must_use]
    pub fn invitations(&self) -> Vec<Tool> {
        self.category(Category::Invitations)
    }

    /// The tools by name.
    #[must_use]
    pub fn tool_map(&self) -> BTreeMap<&'static str, Tool> {
        self.tools.iter().map(|tool| (tool.name(), *tool)).collect()
    }

    fn category(&self, category: Category) -> Vec<Tool> {
        let of_category = |tool: &&Tool| tool.operation().category == category;
        self.tools.iter().filter(of_category).copied().collect()
    }

    /// The prompt after a section that tells the model who is signed in: user, session,
    /// organization, role, custom permissions, actor and the session's own claims. Whatever the
    /// claims hold, they cannot close the section or begin a line.
    #[must_use]
    pub fn inject_session_claims(&self, prompt: &str) -> String {
        session_claims::inject(self.session.as_ref(), prompt, self.client.env().random())
    }

    /// The tool of this name, if this toolkit has it.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name() == name)
    }

    /// Whom it acts for; `None` when it has the secret key's power.
    #[must_use]
    pub fn auth_context(&self) -> Option<&AuthContext> {
        self.session.as_ref()
    }

    /// The client it uses.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Checks a call without making it: its arguments and, for a bound toolkit, at Clerk whether the
    /// person may make it now. Nothing changes.
    ///
    /// # Errors
    /// Whatever [`ToolError`] says.
    pub async fn prepare(&self, name: &str, given: &Value) -> Result<Prepared, ToolError> {
        let tool = *self.tool(name).ok_or_else(|| self.unknown_tool(name, []))?;
        let mut arguments = arguments::check(&tool, given, self.client.env().now())
            .map_err(ToolError::Arguments)?;
        if let Some(session) = &self.session {
            scope::authorize(&self.client, session, &tool, &mut arguments).await?;
        }
        Ok(Prepared { tool, arguments })
    }

    /// What a prepared call takes away, as Clerk names it: name and slug of an organization, name and e-mail
    /// address of a member, the address of an invitation. What people wrote is in quotes and cut short, so
    /// that it stays on its line. Empty where the call names nothing of the kind, or where it cannot be read
    /// now, within 3 s: it only helps whoever is asked about the call, and decides nothing. One request.
    pub async fn subject(&self, prepared: &Prepared) -> Vec<SubjectLine> {
        let Prepared { tool, arguments } = prepared;
        let subject = Subject::of(tool, arguments, self.session.as_ref());
        let Some(subject) = subject else {
            return Vec::new();
        };
        let Ok(request) = subject.request() else {
            return Vec::new();
        };
        let asked = pin!(self.client.send(&request));
        let late = self.client.env().sleep(SUBJECT_PATIENCE);
        match select(asked, late).await {
            Either::Left((Ok(answer), _)) => subject.describe(&answer.body),
            Either::Left((Err(_), _)) | Either::Right(_) => Vec::new(),
        }
    }

    /// Calls a tool. Dropping the future cancels the call: no further request is sent.
    ///
    /// # Errors
    /// Whatever [`ToolError`] says.
    pub async fn call(
        &self,
        name: &str,
        given: &Value,
        progress: &dyn Progress,
    ) -> Result<Outcome, ToolError> {
        let prepared = self.prepare(name, given).await?;
        self.run(&prepared, progress).await
    }

    /// Makes a prepared call. What the person may do was read when it was prepared: prepare anew
    /// after anything that takes its time.
    ///
    /// # Errors
    /// Whatever [`ToolError`] says.
    pub async fn run(
        &self,
        prepared: &Prepared,
        progress: &dyn Progress,
    ) -> Result<Outcome, ToolError> {
        let Prepared { tool, arguments } = prepared;
        match tool.operation().run {
            Run::SessionUserId => Ok(self.session_user_id()),
            Run::FindUsers => {
                find_users::run(
                    &self.client,
                    arguments,
                    self.allow_private_metadata,
                    progress,
                )
                .await
            }
            Run::Requests(operations) => self.send(tool, operations, arguments).await,
        }
    }

    async fn send(
        &self,
        tool: &Tool,
        operations: &'static [ClerkOperation],
        arguments: &Arguments,
    ) -> Result<Outcome, ToolError> {
        let requests =
            request::build(tool, arguments, self.session.as_ref()).map_err(clerk::Error::from)?;
        let mut answer = None;
        for request in &requests {
            match self.client.send(request).await {
                Ok(response) => answer = Some(response),
                Err(error) if answer.is_none() => return Err(error.into()),
                Err(source) => {
                    let failed = request.operation();
                    let done = requests.first().map_or("", |first| first.operation());
                    return Err(ToolError::Partial {
                        done,
                        failed,
                        source,
                    });
                }
            }
        }
        let sent = operations
            .iter()
            .enumerate()
            .filter(|(index, _)| {
                operations.len() == 1 || !request::is_skipped(tool, *index, arguments)
            })
            .map(|(_, operation)| operation)
            .next_back();
        let (Some(response), Some(operation)) = (answer, sent) else {
            return Err(ToolError::Answer {
                operation: tool.name(),
                expected: "one request",
            });
        };
        let structured = shape::shape(
            tool,
            operation,
            arguments,
            response.body,
            self.allow_private_metadata,
        )?;
        Ok(Outcome {
            structured,
            clerk_trace_id: response.trace_id,
        })
    }

    fn session_user_id(&self) -> Outcome {
        let user_id = self.session.as_ref().map(AuthContext::user_id);
        let mut structured = Map::new();
        structured.insert("userId".into(), user_id.into());
        Outcome {
            structured,
            clerk_trace_id: None,
        }
    }

    /// The error of a tool that is not here. `others` are what the caller has beside this toolkit's
    /// tools: a misspelt name may have meant one of them.
    pub fn unknown_tool<'a>(
        &self,
        name: &str,
        others: impl IntoIterator<Item = &'a str>,
    ) -> ToolError {
        let hint = match operations::find(name) {
            Some(row) if self.read_only && !row.hints.read_only => {
                "only tools that change nothing are offered here (read-only)".to_owned()
            }
            Some(_) => {
                "it exists but is left out here: by the choice of tools, by the access rules, or \
                 because of whom the session is bound to"
                    .to_owned()
            }
            None => {
                let mut names: Vec<&str> = self.tools.iter().map(Tool::name).collect();
                for other in others {
                    if !names.contains(&other) {
                        names.push(other);
                    }
                }
                match pattern::nearest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None if names.is_empty() => "there are no tools here for you".to_owned(),
                    None => format!("the tools here are {}", names.join(", ")),
                }
            }
        };
        ToolError::UnknownTool {
            name: name.to_owned(),
            hint,
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(error) => error.fmt(f),
            Self::Empty { named, reason } => {
                let named = named.join(", ");
                write!(f, "no tool is left: {reason} leaves out {named}")?;
                write!(f, "\nhint: choose other --tools, or do without {reason}")
            }
        }
    }
}

impl std::error::Error for BuildError {}
