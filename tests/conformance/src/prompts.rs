//! The prompts, and completion of their arguments.

use rmcp::{
    ErrorData,
    model::{
        CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock,
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, InputRequests,
        InputRequiredResult, Prompt, PromptArgument, PromptMessage, Role,
    },
};
use serde_json::Value;

use crate::{
    content::{self, PNG},
    input_required::{answer, question},
};

/// What completes `arg1`.
const CITIES: [&str; 3] = ["Paris", "Prague", "Turin"];
/// What `test_input_required_result_prompt` asks for.
const CONTEXT: &str = "user_context";

/// Every prompt.
pub(crate) fn all() -> Vec<Prompt> {
    let argument = |name: &str, description: &str| {
        PromptArgument::new(name)
            .with_description(description)
            .with_required(true)
    };
    let with_arguments = vec![
        argument("arg1", "The first text to repeat"),
        argument("arg2", "The second text to repeat"),
    ];
    vec![
        prompt("test_simple_prompt", "One message", vec![]),
        prompt(
            "test_prompt_with_arguments",
            "Repeats its arguments",
            with_arguments,
        ),
        prompt(
            "test_prompt_with_embedded_resource",
            "Embeds a resource",
            vec![argument("resourceUri", "The resource's URI")],
        ),
        prompt("test_prompt_with_image", "Has an image", vec![]),
        prompt(
            "test_input_required_result_prompt",
            "Asks for its context, by its result",
            vec![],
        ),
    ]
}

fn prompt(name: &str, description: &str, arguments: Vec<PromptArgument>) -> Prompt {
    let arguments = (!arguments.is_empty()).then_some(arguments);
    Prompt::new(name, Some(description), arguments)
}

/// The messages of one prompt.
///
/// # Errors
/// `-32602` for an unknown prompt or a missing argument.
pub(crate) fn get(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let arguments = request.arguments.clone().unwrap_or_default();
    let messages = match request.name.as_str() {
        "test_simple_prompt" => vec![said("A simple prompt, for tests.")],
        "test_prompt_with_arguments" => {
            let first = content::text(&arguments, "arg1")?;
            let second = content::text(&arguments, "arg2")?;
            vec![said(&format!("{first:?} and {second:?}"))]
        }
        "test_prompt_with_embedded_resource" => {
            let uri = content::text(&arguments, "resourceUri")?;
            vec![
                PromptMessage::new(Role::User, ContentBlock::embedded_text(uri, "Embedded.")),
                said("Please look at the resource."),
            ]
        }
        "test_prompt_with_image" => vec![
            PromptMessage::new(Role::User, ContentBlock::image(PNG, "image/png")),
            said("Please look at the image."),
        ],
        "test_input_required_result_prompt" => {
            let given = answer(request.input_responses.as_ref(), CONTEXT);
            let Some(given) = given else {
                let requests = InputRequests::from([(CONTEXT.to_owned(), question("context")?)]);
                return Ok(InputRequiredResult::new(Some(requests), None).into());
            };
            let context = given.pointer("/content/context").and_then(Value::as_str);
            vec![said(&format!("The context is {context:?}."))]
        }
        name => {
            let message = format!("there is no prompt {name:?}");
            return Err(ErrorData::invalid_params(message, None));
        }
    };
    Ok(GetPromptResult::new(messages).into())
}

fn said(text: &str) -> PromptMessage {
    PromptMessage::new_text(Role::User, text)
}

/// The cities that begin as `arg1` does; nothing for any other argument.
///
/// # Errors
/// `-32603` if rmcp takes them for too many.
pub(crate) fn complete(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let argument = &request.argument;
    let begins = |city: &&str| {
        argument.name == "arg1"
            && city
                .to_lowercase()
                .starts_with(&argument.value.to_lowercase())
    };
    let values = CITIES.into_iter().filter(begins).map(Into::into).collect();
    CompletionInfo::new(values)
        .map(CompleteResult::new)
        .map_err(|message| ErrorData::internal_error(message, None))
}
