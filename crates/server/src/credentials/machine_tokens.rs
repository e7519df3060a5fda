//! The machine-to-machine token of this server: one for all of its calls, kept until shortly before it
//! expires.

use std::{fmt, sync::Arc, time::Duration};

use clerk::{Env, machine::Machine};

use super::{Refused, Token, slot::Slot, unavailable};
use crate::http_tools::{CredentialFault, MachineConfig};

/// How long before its end a token is not used any more, but never more than half of its life.
const MARGIN: Duration = Duration::from_secs(60);

/// Makes it and keeps it.
pub(super) struct MachineTokens {
    machine: Machine,
    config: MachineConfig,
    env: Arc<dyn Env>,
    kept: Arc<Slot<Token>>,
}

impl fmt::Debug for MachineTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineTokens").finish_non_exhaustive()
    }
}

impl MachineTokens {
    pub(super) fn new(machine: Machine, config: MachineConfig, env: Arc<dyn Env>) -> Self {
        Self {
            machine,
            config,
            env,
            kept: Arc::default(),
        }
    }

    pub(super) async fn token(&self, refused: Refused<'_>) -> Result<Token, CredentialFault> {
        let now = self.env.now();
        let (machine, format) = (self.machine.clone(), self.config.format);
        let seconds = self.config.lifetime.map(|lifetime| lifetime.as_secs());
        let make = |_| async move {
            let made = machine.create_token(format, seconds).await;
            let made = made.map_err(|error| {
                tracing::error!(%error, "no M2M token");
                unavailable("Clerk gives this server no machine-to-machine token now")
            })?;
            // One whose end is not known is used for this call, and not kept.
            let expires_at = made.expires_at.unwrap_or(now);
            let life = Duration::from_millis(expires_at.saturating_sub(now));
            Token::new(made.token.expose(), now, expires_at, MARGIN.min(life / 2))
        };
        let serves = |token: &Token| token.serves(now, refused);
        self.kept.get(serves, make).await
    }
}
