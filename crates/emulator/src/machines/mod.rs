//! Machines: services that talk to each other with tokens of their own (M2M tokens).

pub(crate) mod state;
pub(crate) mod tokens;

use crate::body::{Body, Kind, Param, Unknown, param};
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::{self, ApiError};
use crate::paging::Page;
use crate::query::contains;
use crate::views;
use serde_json::{Value, json};
use state::{Machine, OldKey, Scope};

/// Clerk's default and limits, in seconds.
pub(crate) const DEFAULT_TOKEN_LIFETIME: u64 = 3_600;
pub(crate) const MAX_TOKEN_LIFETIME: u64 = 315_360_000;
const MAX_OLD_KEY_LIFETIME: u64 = 28_800;
const MAX_NAME: usize = 255;
const MAX_SCOPES: usize = 150;

const CREATE: [Param; 3] = [
    param("name", Kind::Text),
    param("scoped_machines", Kind::Texts),
    param("default_token_ttl", Kind::Integer),
];
const UPDATE: [Param; 2] = [
    param("name", Kind::Text),
    param("default_token_ttl", Kind::Integer),
];

/// `ListMachines`: newest first, unless another order is asked for.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let page = Page::of(&call.query)?;
    let order = call.query.order(&["created_at", "name"])?;
    let text = call.query.text("query");
    let part = text.map(str::to_lowercase);
    let fits = |machine: &&Machine| {
        part.as_ref()
            .is_none_or(|part| contains(&machine.name, part) || text == Some(&*machine.id))
    };
    let mut rows: Vec<&Machine> = call.state.machines.all.iter().filter(fits).collect();
    rows.sort_by(|left, right| {
        let attribute = match order.by {
            "name" => left.name.cmp(&right.name),
            _ => left.created_at.cmp(&right.created_at),
        };
        order.directed(attribute.then(left.id.cmp(&right.id)))
    });
    Ok(page.take(rows, |machine| view(call, machine)).counted())
}

/// `CreateMachine`.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let body = Body::check(&given, &CREATE, Unknown::Ignored)?;
    let name = checked_name(&body)?.ok_or_else(|| error::param_missing("name"))?;
    let wanted = body.texts("scoped_machines");
    if wanted.len() > MAX_SCOPES {
        return Err(error::param_array_size("scoped_machines", MAX_SCOPES));
    }
    let now = call.now;
    let mut scopes: Vec<Scope> = Vec::with_capacity(wanted.len());
    for id in wanted {
        let machine = call.state.machines.all.get(id);
        let machine = machine.ok_or_else(|| error::form_resource_not_found("scoped_machines"))?;
        if scopes.iter().any(|scope| scope.machine_id == machine.id) {
            return Err(error::param_duplicate("scoped_machines"));
        }
        scopes.push(Scope::to(&machine.id, now));
    }
    let lifetime = body.integer("default_token_ttl", 1, MAX_TOKEN_LIFETIME)?;
    let machine = Machine {
        id: call.mint("mch"),
        name,
        scopes,
        default_token_ttl: lifetime.unwrap_or(DEFAULT_TOKEN_LIFETIME),
        secret_key: secret_key(call),
        old_keys: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    let mut view = view(call, &machine);
    view["secret_key"] = json!(machine.secret_key);
    call.state.machines.all.insert(machine);
    Ok(view)
}

/// `GetMachine`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(view(call, find(call)?))
}

/// `UpdateMachine`.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut machine = find(call)?.clone();
    let given = call.take_object()?;
    let body = Body::check(&given, &UPDATE, Unknown::Ignored)?;
    if let Some(name) = checked_name(&body)? {
        machine.name = name;
    }
    if let Some(lifetime) = body.integer("default_token_ttl", 1, MAX_TOKEN_LIFETIME)? {
        machine.default_token_ttl = lifetime;
    }
    machine.updated_at = call.now;
    call.state.machines.all.insert(machine);
    get(call)
}

/// `DeleteMachine`: with its tokens, and the scopes of others to it.
pub(crate) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = find(call)?.id.clone();
    call.state.machines.delete(&id);
    Ok(views::deleted("machine", &id))
}

/// `GetMachineSecretKey`.
pub(crate) fn get_secret_key(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(secret_view(find(call)?))
}

/// `RotateMachineSecretKey`: the old key stays good for as long as is asked for.
pub(crate) fn rotate_secret_key(call: &mut Call<'_>) -> Result<Value, ApiError> {
    const PARAM: &str = "previous_token_ttl";
    let mut machine = find(call)?.clone();
    let given = call.take_object()?;
    let body = Body::check(&given, &[param(PARAM, Kind::Integer)], Unknown::Ignored)?;
    let lifetime = body.integer(PARAM, 0, MAX_OLD_KEY_LIFETIME)?;
    let lifetime = lifetime.ok_or_else(|| error::param_missing(PARAM))?;
    let now = call.now;
    machine.old_keys.retain(|old| now < old.expires_at);
    let old = std::mem::replace(&mut machine.secret_key, secret_key(call));
    machine.old_keys.push(OldKey {
        secret_key: old,
        expires_at: now + lifetime * SECOND,
    });
    machine.updated_at = now;
    let view = secret_view(&machine);
    call.state.machines.all.insert(machine);
    Ok(view)
}

/// `CreateMachineScope`.
pub(crate) fn create_scope(call: &mut Call<'_>) -> Result<Value, ApiError> {
    const PARAM: &str = "to_machine_id";
    let mut machine = find(call)?.clone();
    let given = call.take_object()?;
    let body = Body::check(&given, &[param(PARAM, Kind::Text)], Unknown::Ignored)?;
    let to = body.required_text(PARAM)?;
    let to = call.state.machines.all.get(to);
    let to = to.ok_or_else(|| error::form_resource_not_found(PARAM))?;
    if machine.reaches(&to.id) {
        return Err(error::machine_scope_exists(&to.id));
    }
    if machine.scopes.len() == MAX_SCOPES {
        return Err(error::machine_scopes_exceeded(MAX_SCOPES));
    }
    let scope = Scope::to(&to.id, call.now);
    let view = json!({
        "object": "machine_scope",
        "from_machine_id": machine.id,
        "to_machine_id": scope.machine_id,
        "created_at": scope.created_at,
    });
    machine.scopes.push(scope);
    call.state.machines.all.insert(machine);
    Ok(view)
}

/// `DeleteMachineScope`.
pub(crate) fn delete_scope(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut machine = find(call)?.clone();
    let other = call.param("other_machine_id");
    if !machine.reaches(&other) {
        return Err(error::machine_scope_not_found(&other));
    }
    machine.scopes.retain(|scope| *scope.machine_id != *other);
    let view = json!({
        "object": "machine_scope",
        "from_machine_id": machine.id,
        "to_machine_id": other,
        "deleted": true,
    });
    call.state.machines.all.insert(machine);
    Ok(view)
}

/// Is it a name for a machine?
pub(crate) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_NAME
}

fn checked_name(body: &Body<'_>) -> Result<Option<String>, ApiError> {
    if !body.has("name") {
        return Ok(None);
    }
    let name = body.required_text("name")?;
    if !is_name(name) {
        return Err(error::param_max_length("name", MAX_NAME));
    }
    Ok(Some(name.to_owned()))
}

fn secret_key(call: &mut Call<'_>) -> String {
    format!("{}{}", state::KEY_PREFIX, call.ticket())
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a Machine, ApiError> {
    let id = call.param("machine_id");
    let found = call.state.machines.all.get(&id);
    found.ok_or_else(|| error::machine_not_found(&id))
}

fn secret_view(machine: &Machine) -> Value {
    json!({ "object": "machine_secret_key", "secret": machine.secret_key })
}

fn view(call: &Call<'_>, machine: &Machine) -> Value {
    let scopes = machine.scopes.iter();
    let scoped: Vec<Value> = scopes
        .filter_map(|scope| call.state.machines.all.get(&scope.machine_id))
        .map(|machine| plain_view(call, machine))
        .collect();
    let mut view = plain_view(call, machine);
    view["scoped_machines"] = json!(scoped);
    view
}

fn plain_view(call: &Call<'_>, machine: &Machine) -> Value {
    json!({
        "object": "machine",
        "id": machine.id,
        "name": machine.name,
        "instance_id": call.state.instance.id,
        "default_token_ttl": machine.default_token_ttl,
        "created_at": machine.created_at,
        "updated_at": machine.updated_at,
    })
}
