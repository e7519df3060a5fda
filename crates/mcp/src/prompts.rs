//! Prompts: ready-made tasks that a person picks in their client.

use std::fmt;

use toolkit::{ClerkToolkit, text};

use crate::service::Service;

/// A prompt as clients list it.
#[derive(Debug)]
pub struct Prompt {
    /// Its name.
    pub name: &'static str,
    /// Its title for people.
    pub title: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What it takes.
    pub arguments: &'static [PromptArgument],
    /// The tools its steps use: a toolkit without them does not offer it.
    needs: &'static [&'static str],
    steps: &'static str,
}

/// An argument of a prompt.
#[derive(Debug)]
pub struct PromptArgument {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// Must be given.
    pub required: bool,
    /// What stands in its place when it is not.
    default: &'static str,
}

/// Why a prompt cannot be given.
#[derive(Debug, PartialEq, Eq)]
pub enum PromptError {
    /// No prompt of this name here.
    Unknown(String),
    /// A required argument is missing.
    Missing(&'static str),
    /// There is no such argument.
    UnknownArgument(String),
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no prompt {name:?}; see prompts/list"),
            Self::Missing(name) => write!(f, "argument `{name}` is missing"),
            Self::UnknownArgument(name) => write!(f, "argument {name:?} is unknown"),
        }
    }
}

impl std::error::Error for PromptError {}

static PROMPTS: &[Prompt] = &[
    Prompt {
        name: "onboarding_check",
        title: "Onboarding check",
        description: "Finds recent sign-ups that got stuck: no verified e-mail, no organization, \
                      never signed in.",
        arguments: &[PromptArgument {
            name: "since",
            description: "How far back: 7d, 2026-05-01",
            required: false,
            default: "7d",
        }],
        needs: &["getUserCount", "findUsers"],
        steps: "Check how onboarding goes in this Clerk instance for users created since {since}.\n\
                1. getUserCount with createdAtAfter {since}: how many signed up.\n\
                2. findUsers with the same createdAtAfter, once for each of without \
                [\"verified_email\"], [\"organization\"] and [\"sign_in\"]; fields /id, \
                /email_addresses/*/email_address and /created_at are enough.\n\
                3. Report the numbers as a short table, name at most five users for each problem, \
                and say what to do about each. Change nothing.",
    },
    Prompt {
        name: "organization_setup",
        title: "Organization setup",
        description: "Creates an organization with an admin, members and invitations.",
        arguments: &[
            PromptArgument {
                name: "name",
                description: "The organization's name",
                required: true,
                default: "",
            },
            PromptArgument {
                name: "admin",
                description: "User id or e-mail address of its first admin",
                required: true,
                default: "",
            },
            PromptArgument {
                name: "members",
                description: "E-mail addresses, separated by commas",
                required: false,
                default: "none",
            },
        ],
        needs: &[
            "getUserList",
            "getOrganizationList",
            "createOrganization",
            "createOrganizationMembership",
            "createOrganizationInvitation",
        ],
        steps: "Set up a Clerk organization named {name}, with admin {admin} and members {members}.\n\
                1. Find the admin with getUserList (emailAddress or userId). Stop if there is not \
                exactly one.\n\
                2. Check with getOrganizationList that no organization has this name or slug.\n\
                3. createOrganization with createdBy set to the admin's id.\n\
                4. For each member: if getUserList finds the e-mail address, \
                createOrganizationMembership with role org:member, else \
                createOrganizationInvitation with role org:member and inviterUserId the admin's id.\n\
                5. Report the organization's id and, for each member, whether they were added or \
                invited, or why neither.",
    },
    Prompt {
        name: "user_audit",
        title: "User audit",
        description: "Reviews one user: identity, security, organizations, roles, metadata.",
        arguments: &[PromptArgument {
            name: "user",
            description: "User id or e-mail address",
            required: true,
            default: "",
        }],
        needs: &[
            "getUser",
            "getUserList",
            "getUserOrganizationMembershipList",
        ],
        steps: "Audit the Clerk user {user}. Change nothing.\n\
                1. getUser with that id; if it is an e-mail address, find the user with getUserList \
                (emailAddress) first. Look at names, verified and unverified addresses, password, \
                second factor, banned or locked, last sign-in.\n\
                2. getUserOrganizationMembershipList: each organization with role and permissions.\n\
                3. Report what stands out: admin roles, no second factor, unverified addresses, long \
                inactivity, metadata that grants privileges. End with what you would change, as \
                suggestions only.",
    },
];

impl Service {
    /// The prompts whose tools this principal has.
    pub fn prompts(&self) -> impl Iterator<Item = &'static Prompt> + '_ {
        PROMPTS
            .iter()
            .filter(|prompt| offers(&self.toolkit, prompt))
    }

    /// The prompt's text. Arguments stand in it as JSON strings, so that whatever they hold is seen
    /// as a value.
    ///
    /// # Errors
    /// [`PromptError`].
    pub fn prompt<'a>(
        &self,
        name: &str,
        given: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<(&'static Prompt, String), PromptError> {
        let prompt = self
            .prompts()
            .find(|prompt| prompt.name == name)
            .ok_or_else(|| PromptError::Unknown(name.to_owned()))?;
        let known = |name: &str| {
            prompt
                .arguments
                .iter()
                .any(|argument| argument.name == name)
        };
        if let Some((unknown, _)) = given.clone().find(|(name, _)| !known(name)) {
            return Err(PromptError::UnknownArgument(unknown.to_owned()));
        }
        let mut values = Vec::new();
        for argument in prompt.arguments {
            let value = given
                .clone()
                .find(|(name, value)| *name == argument.name && !value.trim().is_empty())
                .map(|(_, value)| value);
            let value = match value {
                Some(value) => value,
                None if argument.required => return Err(PromptError::Missing(argument.name)),
                None => argument.default,
            };
            let quoted = serde_json::Value::from(text::escape_str(value.trim())).to_string();
            values.push((argument.name, quoted));
        }
        Ok((prompt, fill(prompt.steps, &values)))
    }
}

/// Fills `{name}` once, left to right: a value that looks like a placeholder stays a value.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}') {
            Some((name, after)) => {
                let value = values.iter().find(|(known, _)| *known == name);
                filled.push_str(value.map_or("", |(_, value)| value));
                rest = after;
            }
            None => rest = after,
        }
    }
    filled.push_str(rest);
    filled
}

fn offers(toolkit: &ClerkToolkit, prompt: &Prompt) -> bool {
    prompt.needs.iter().all(|name| toolkit.tool(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_templates() {
        let values = [("a", "\"{b}\"".to_owned()), ("b", "\"x\"".to_owned())];
        assert_eq!(fill("{a} and {b}.", &values), "\"{b}\" and \"x\".");
    }

    #[test]
    fn every_placeholder_is_an_argument_and_every_tool_exists() {
        for prompt in PROMPTS {
            for argument in prompt.arguments {
                assert!(
                    prompt.steps.contains(&format!("{{{}}}", argument.name)),
                    "{}",
                    prompt.name
                );
            }
            for name in prompt.needs {
                assert!(toolkit::operations::find(name).is_some(), "{name}");
            }
            let is_letter = |c: char| c.is_ascii_alphabetic();
            for word in prompt.steps.split(|c| !is_letter(c)) {
                let is_tool = toolkit::operations::find(word).is_some();
                assert!(
                    !is_tool || prompt.needs.contains(&word),
                    "{}: {word}",
                    prompt.name
                );
            }
        }
    }
}
