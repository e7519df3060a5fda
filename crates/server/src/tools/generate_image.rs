use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use clerk::BoxFuture;
use mcp::{Caller, Content, Definition, OwnTool, OwnToolError, ToolResult};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use toolkit::{Progress, operation::Hints};

use super::schema;

/// Width and height, pixels.
const SIZE: u32 = 256;
/// The most characters of a prompt.
const MOST_CHARACTERS: usize = 1_000;

/// `generateImage`: a picture of the prompt's own, drawn here. It shows image content, and a tool
/// that the access rules keep for some roles.
#[derive(Clone, Debug)]
pub struct GenerateImage(Definition);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    prompt: String,
}

impl GenerateImage {
    /// The tool.
    #[must_use]
    pub fn new() -> Self {
        let prompt = json!({"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS});
        Self(Definition {
            name: "generateImage".into(),
            title: "Generate image".into(),
            description: "Draws an abstract picture (PNG, 256 by 256) from a prompt; the same \
                          prompt gives the same picture."
                .into(),
            input_schema: schema::object(json!({"prompt": prompt})),
            output_schema: None,
            hints: Hints::READ,
        })
    }
}

impl Default for GenerateImage {
    fn default() -> Self {
        Self::new()
    }
}

impl OwnTool for GenerateImage {
    fn definition(&self) -> &Definition {
        &self.0
    }

    fn is_immediate(&self) -> bool {
        true
    }

    fn call<'a>(
        &'a self,
        arguments: &'a Map<String, Value>,
        _: &'a Caller,
        _: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<ToolResult, OwnToolError>> {
        Box::pin(async move {
            let Arguments { prompt } = schema::read(arguments)?;
            if prompt.is_empty() || prompt.chars().count() > MOST_CHARACTERS {
                let message = format!("`prompt` has 1 to {MOST_CHARACTERS} characters");
                return Err(OwnToolError::invalid_arguments(message));
            }
            let png = encode(&draw(&prompt)).map_err(|error| OwnToolError {
                code: "drawing_failed".into(),
                message: error.to_string(),
                hint: None,
            })?;
            Ok(ToolResult::content(vec![Content::Image {
                data: BASE64.encode(png),
                mime_type: "image/png".into(),
            }]))
        })
    }
}

/// Rings around a few points over a slope of two colours, all of the prompt's digest. RGB, row by row.
fn draw(prompt: &str) -> Vec<u8> {
    let digest: [u8; 32] = Sha256::digest(prompt).into();
    let [top, bottom] = [[0, 1, 2], [3, 4, 5]].map(|at| at.map(|i| f32::from(digest[i])));
    // x, y, distance between rings, and strength of four points.
    let points: Vec<[f32; 4]> = digest[8..24]
        .chunks_exact(4)
        .map(|c| [c[0], c[1], c[2] / 8 + 6, c[3] / 4 + 24].map(f32::from))
        .collect();
    let size = u16::try_from(SIZE).unwrap_or(u16::MAX);
    let mut pixels = Vec::with_capacity(usize::from(size) * usize::from(size) * 3);
    for y in 0..size {
        let slope = f32::from(y) / f32::from(size);
        for x in 0..size {
            let mut light = 0.0;
            for [px, py, gap, strength] in &points {
                // `hypot` would be the C library's, and ask for glibc 2.35.
                let (dx, dy) = (f32::from(x) - px, f32::from(y) - py);
                let distance = (dx * dx + dy * dy).sqrt();
                light += (distance / gap).cos() * strength / (1.0 + distance / 96.0);
            }
            for (from, to) in top.iter().zip(&bottom) {
                let colour = from + (to - from) * slope + light;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped to what a byte holds"
                )]
                pixels.push(colour.clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}

fn encode(pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIZE, SIZE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_prompt_has_its_own_picture() {
        assert_eq!(draw("a lighthouse"), draw("a lighthouse"));
        assert_ne!(draw("a lighthouse"), draw("a Lighthouse"));
    }

    #[test]
    fn the_picture_is_a_png_of_its_pixels() {
        let pixels = draw("a lighthouse");
        let bytes = encode(&pixels).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut decoded = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut decoded).unwrap();
        assert_eq!((info.width, info.height), (SIZE, SIZE));
        assert_eq!(decoded, pixels);
    }
}
