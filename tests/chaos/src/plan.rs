//! What everybody does and what goes wrong: a pure function of the seed and the number of operations.

/// The clients; each is one person's, and works through its operations one after the other.
pub(crate) const CLIENTS: usize = 24;
/// Up to here in the run, in percent, the server is killed; then it has to stay flat.
const LAST_KILL: u64 = 60;

/// How people sign in at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// The server is an OAuth client of Clerk.
    ClerkOauth,
    /// Through the owner's application.
    App,
    /// At Clerk, which is the authorization server.
    ClerkTokens,
}

/// A run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The operations of each client.
    pub(crate) operations: Vec<Vec<Operation>>,
    /// In their order.
    pub(crate) faults: Vec<Fault>,
}

/// What is lost of a request at the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Nothing,
    /// The server never sees it.
    Request,
    /// The server has answered; the connection closes.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Needs nobody.
    Add,
    /// Asks Clerk.
    ListMemberships,
    /// Asks the owner's API.
    GetOrder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// From the authorization request to the tokens; the answer to `/token` may get lost.
    SignIn(Loss),
    /// The redirect that carries the code gets lost.
    LoseTheCode,
    /// A code is redeemed again after it gave tokens.
    RedeemAgain,
    /// A code is redeemed twice at the same moment.
    RedeemAtOnce,
    /// A call of revision 2026-07-28.
    Call(Tool, Loss),
    /// A call in a session of revision 2025-11-25.
    CallInSession(Tool, Loss),
    Refresh(Loss),
    /// Two refreshes with one token at the same moment.
    RefreshAtOnce,
    /// A refresh with the token before, whose successor nobody has used.
    RefreshWithPrevious,
    /// A refresh with a token whose successor was used: the grant ends.
    Replay,
    Revoke(Loss),
    /// A call that asks its person, who says no; the connection is lost before or after the question
    /// was read.
    Decline {
        reads_question: bool,
    },
    /// A stream of the session is opened and kept, or found again.
    Listen,
    /// A call over HTTP+SSE.
    CallOverSse(Tool),
    /// The person is banned at Clerk. From now on every operation uses what they have.
    GetBanned,
    /// The person is deleted at Clerk.
    GetDeleted,
    /// One of this client's dead tokens is tried; the number chooses.
    UseTheDead(u32),
    /// The client goes back to an access token from before its newest, which Clerk has not ended; the
    /// number chooses.
    UseEarlier(u32),
    /// A token that never counted is tried.
    UseForeign(Foreign),
    /// The session of somebody else is tried; the number chooses.
    TakeSession(u32),
}

/// Tokens of Clerk's that are not for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Of one of the person's sessions at Clerk.
    SessionToken,
    IdToken,
    RefreshToken,
    /// An access token for another server.
    ForAnother,
    /// A good one with another end.
    Forged,
}

/// Something goes wrong once this many operations are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: u64,
    /// It is over when so many more are done.
    pub(crate) during: u64,
    pub(crate) kind: FaultKind,
    /// How long after its beginning the server is killed too, in milliseconds.
    pub(crate) kill_after: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Nothing but the kill.
    Kill,
    DiskFull,
    /// Server and Clerk move forward together, by so many minutes.
    ClockForward(u64),
    /// Clerk's clock alone goes wrong, by so many seconds.
    ClerkClock(i64),
    ClerkSlow,
    ClerkRateLimited,
    ClerkRefuses,
    ClerkDrops,
    /// Clerk does what it is asked, and its answer is lost.
    ClerkAnswersLost,
    ClerkGarbled,
    /// The process is stopped: connections are taken, and nothing comes.
    ClerkAbsent,
    ApiSlow,
    ApiRateLimited,
    ApiRefuses,
    ApiDrops,
    ApiGarbled,
    /// Nobody listens at its address.
    ApiAbsent,
    /// From now on Clerk issues signed access tokens, or those that only it can read.
    ClerkSigns(bool),
    /// Memory and descriptors are looked at.
    Measure,
}

const ROUND: [FaultKind; 21] = [
    FaultKind::Kill,
    FaultKind::DiskFull,
    FaultKind::ClockForward(16),
    FaultKind::ClerkSlow,
    FaultKind::Kill,
    FaultKind::ApiDrops,
    FaultKind::ClerkRateLimited,
    FaultKind::ClerkAbsent,
    FaultKind::Kill,
    FaultKind::ApiSlow,
    FaultKind::ClerkRefuses,
    FaultKind::DiskFull,
    FaultKind::ClerkClock(600),
    FaultKind::ApiGarbled,
    FaultKind::Kill,
    FaultKind::ClerkDrops,
    FaultKind::ApiRefuses,
    FaultKind::ClerkAnswersLost,
    FaultKind::ApiRateLimited,
    FaultKind::ApiAbsent,
    FaultKind::ClerkGarbled,
];
/// The same where Clerk issues the tokens.
const ROUND_AT_CLERK: [FaultKind; 2] = [FaultKind::ClerkSigns(true), FaultKind::ClerkSigns(false)];
/// One more than the default life of an unused refresh token, in minutes.
const A_MONTH: u64 = 31 * 24 * 60;

impl Plan {
    pub(crate) fn new(seed: u64, operations: u64, sign_in: SignIn) -> Self {
        let mut random = Random(seed);
        let is_at_clerk = sign_in == SignIn::ClerkTokens;
        let mut plan = Self {
            operations: vec![vec![Operation::SignIn(Loss::Nothing)]; CLIENTS],
            faults: Vec::new(),
        };
        for number in CLIENTS as u64..operations {
            let client = usize::try_from(number).unwrap_or(0) % CLIENTS;
            plan.operations[client].push(match is_at_clerk {
                true => operation_at_clerk(&mut random),
                false => operation(&mut random),
            });
        }
        // In the middle of what two of them do.
        for (client, end) in plan
            .operations
            .iter_mut()
            .rev()
            .zip([Operation::GetBanned, Operation::GetDeleted])
        {
            let middle = client.len() / 2;
            client[middle] = end;
        }
        // Twice every kind in 2,000 operations.
        let each = (operations / 44).max(1);
        let mut kinds: Vec<FaultKind> = Vec::new();
        let mut at = operations / 20;
        let mut is_measured = false;
        while at < operations * 95 / 100 {
            let kills = at * 100 < operations * LAST_KILL;
            if !kills && !is_measured && at * 100 >= operations * 68 {
                is_measured = true;
                plan.faults.push(Fault {
                    at,
                    during: 0,
                    kind: FaultKind::Measure,
                    kill_after: None,
                });
            }
            if kinds.is_empty() {
                kinds = ROUND.to_vec();
                if is_at_clerk {
                    kinds.extend(ROUND_AT_CLERK);
                }
                random.shuffle(&mut kinds);
            }
            let Some(mut kind) = kinds.pop() else { break };
            if !kills && kind == FaultKind::Kill {
                kind = FaultKind::ApiRefuses;
            }
            let is_kill = kind == FaultKind::Kill;
            // What is in the audit queue while the disk is full may only go to the log; a kill then
            // would take both, which is documented and proves nothing.
            let may_be_killed = kills && kind != FaultKind::DiskFull;
            let kill_after =
                (is_kill || may_be_killed && random.below(4) == 0).then(|| random.below(400));
            plan.faults.push(Fault {
                at,
                during: each / 4 + random.below(each / 3 + 1),
                kind,
                kill_after,
            });
            at += each;
        }
        // Once or twice everybody has been away for a month.
        for share in [33, 85] {
            let of = |fault: &&mut Fault| matches!(fault.kind, FaultKind::ClockForward(_));
            let far = plan.faults.iter_mut().filter(of);
            if let Some(fault) = far.min_by_key(|fault| fault.at.abs_diff(operations * share / 100))
            {
                fault.kind = FaultKind::ClockForward(A_MONTH);
            }
        }
        plan
    }

    /// A number for the whole plan (FNV-1a): the same in every run of the same seed.
    pub(crate) fn digest(&self) -> u64 {
        let text = format!("{self:?}");
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// What a client does while nothing goes wrong, for as long as one likes.
pub(crate) fn faultless(
    seed: u64,
    client: u64,
    sign_in: SignIn,
) -> impl Iterator<Item = Operation> {
    let mut random = Random(seed ^ client.rotate_left(32));
    let of_mode = match sign_in {
        SignIn::ClerkTokens => operation_at_clerk,
        SignIn::ClerkOauth | SignIn::App => operation,
    };
    std::iter::repeat_with(move || match of_mode(&mut random) {
        Operation::SignIn(_) => Operation::SignIn(Loss::Nothing),
        Operation::Call(tool, _) => Operation::Call(tool, Loss::Nothing),
        Operation::CallInSession(tool, _) => Operation::CallInSession(tool, Loss::Nothing),
        Operation::Refresh(_) => Operation::Refresh(Loss::Nothing),
        Operation::Revoke(_) => Operation::Revoke(Loss::Nothing),
        other => other,
    })
}

fn operation(random: &mut Random) -> Operation {
    match random.below(100) {
        0..20 => Operation::Call(tool(random), loss(random, 12)),
        20..34 => Operation::CallInSession(tool(random), loss(random, 12)),
        34..40 => Operation::Decline {
            reads_question: random.below(2) == 0,
        },
        40..44 => Operation::Listen,
        44..50 => Operation::CallOverSse(tool(random)),
        50..68 => Operation::Refresh(loss(random, 40)),
        68..74 => Operation::RefreshAtOnce,
        74..79 => Operation::RefreshWithPrevious,
        79..82 => Operation::Replay,
        82..85 => Operation::Revoke(loss(random, 40)),
        85..88 => Operation::SignIn(loss(random, 50)),
        88 => Operation::LoseTheCode,
        89 => Operation::RedeemAgain,
        90 => Operation::RedeemAtOnce,
        _ => Operation::UseTheDead(u32::try_from(random.below(1 << 20)).unwrap_or(0)),
    }
}

/// Where Clerk issues the tokens, nothing of its own answers is lost on purpose: it is not under test.
fn operation_at_clerk(random: &mut Random) -> Operation {
    let mut chosen = || u32::try_from(random.below(1 << 20)).unwrap_or(0);
    let (first, second) = (chosen(), chosen());
    match first % 100 {
        0..24 => Operation::Call(tool(random), loss(random, 12)),
        24..42 => Operation::CallInSession(tool(random), loss(random, 12)),
        42..49 => Operation::Decline {
            reads_question: random.below(2) == 0,
        },
        49..54 => Operation::Listen,
        54..61 => Operation::CallOverSse(tool(random)),
        61..71 => Operation::Refresh(Loss::Nothing),
        71..77 => Operation::UseEarlier(second),
        77..81 => Operation::Revoke(Loss::Nothing),
        81..84 => Operation::SignIn(Loss::Nothing),
        84..88 => Operation::TakeSession(second),
        88..92 => Operation::UseForeign(match second % 5 {
            0 => Foreign::SessionToken,
            1 => Foreign::IdToken,
            2 => Foreign::RefreshToken,
            3 => Foreign::ForAnother,
            _ => Foreign::Forged,
        }),
        _ => Operation::UseTheDead(second),
    }
}

fn tool(random: &mut Random) -> Tool {
    match random.below(5) {
        0 | 1 => Tool::Add,
        2 => Tool::ListMemberships,
        _ => Tool::GetOrder,
    }
}

/// Something is lost with this probability in percent, mostly the answer.
fn loss(random: &mut Random, percent: u64) -> Loss {
    match (random.below(100) < percent, random.below(4)) {
        (false, _) => Loss::Nothing,
        (true, 0) => Loss::Request,
        (true, _) => Loss::Answer,
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, evenly enough.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn shuffle<T>(&mut self, values: &mut [T]) {
        for index in (1..values.len()).rev() {
            let other = usize::try_from(self.below(index as u64 + 1)).unwrap_or(0);
            values.swap(index, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_follows_from_its_seed() {
        let plan = |seed| Plan::new(seed, 2000, SignIn::ClerkOauth);
        assert_eq!(plan(7), plan(7));
        assert_eq!(plan(7).digest(), plan(7).digest());
        assert_ne!(plan(7).digest(), plan(8).digest());
        // People sign in another way, and do the same.
        assert_eq!(plan(7), Plan::new(7, 2000, SignIn::App));
        let at_clerk = Plan::new(7, 2000, SignIn::ClerkTokens);
        assert_eq!(at_clerk, Plan::new(7, 2000, SignIn::ClerkTokens));
        assert_ne!(at_clerk, plan(7));
    }

    #[test]
    fn a_plan_has_every_operation_and_every_fault_in_order() {
        for seed in 0..50 {
            let plan = Plan::new(seed, 2000, SignIn::ClerkOauth);
            assert_eq!(plan.operations.iter().map(Vec::len).sum::<usize>(), 2000);
            assert!(plan.faults.is_sorted_by_key(|fault| fault.at));
            for kind in ROUND.into_iter().chain([FaultKind::Measure]) {
                let is_there = plan.faults.iter().any(|fault| fault.kind == kind);
                let moved = matches!(kind, FaultKind::ClockForward(_));
                assert!(is_there || moved, "{kind:?} is not in the plan of {seed}");
            }
            let far = FaultKind::ClockForward(A_MONTH);
            assert!(plan.faults.iter().any(|fault| fault.kind == far));
            let measured = plan
                .faults
                .iter()
                .position(|fault| fault.kind == FaultKind::Measure);
            let after = &plan.faults[measured.unwrap_or_default()..];
            assert!(after.iter().all(|fault| fault.kill_after.is_none()));
        }
    }

    #[test]
    fn where_clerk_issues_tokens_a_short_plan_has_both_forms_and_nothing_of_codes() {
        for seed in 0..50 {
            let plan = Plan::new(seed, 600, SignIn::ClerkTokens);
            for kind in ROUND.into_iter().chain(ROUND_AT_CLERK) {
                let is_there = plan.faults.iter().any(|fault| fault.kind == kind);
                let moved = matches!(kind, FaultKind::ClockForward(_));
                assert!(is_there || moved, "{kind:?} is not in the plan of {seed}");
            }
            let all = || plan.operations.iter().flatten();
            assert!(all().any(|done| matches!(done, Operation::UseForeign(_))));
            assert!(all().any(|done| matches!(done, Operation::TakeSession(_))));
            assert!(!all().any(|done| matches!(
                done,
                Operation::LoseTheCode | Operation::RedeemAgain | Operation::RedeemAtOnce
            )));
        }
    }
}
