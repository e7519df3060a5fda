//! Pictures of people, drawn here: five by five squares, mirrored, of the person's id.

use crate::orders::digest;

/// Squares in a row, and how many of them are not mirrored.
const GRID: usize = 5;
const HALF: usize = GRID.div_ceil(2);
/// Pixels of a square, and of the margin around them.
const SQUARE: usize = 28;
const MARGIN: usize = 10;
/// Width and height, pixels.
pub(crate) const SIZE: usize = GRID * SQUARE + 2 * MARGIN;

/// The person's picture as PNG.
///
/// # Errors
/// Whatever the encoder says.
pub(crate) fn png(user_id: &str) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let size = u32::try_from(SIZE).unwrap_or_default();
    let mut encoder = png::Encoder::new(&mut bytes, size, size);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&draw(user_id))?;
    writer.finish()?;
    Ok(bytes)
}

/// RGB, row by row.
fn draw(user_id: &str) -> Vec<u8> {
    let colour = digest(user_id, 0, "colour");
    let ink = [colour[0], colour[1], colour[2]].map(|part| part / 2 + 24);
    let paper = [244; 3];
    let bits = u64::from_be_bytes(digest(user_id, 0, "picture"));
    let is_inked = |x: usize, y: usize| {
        let column = x.min(GRID - 1 - x);
        bits >> (y * HALF + column) & 1 == 1
    };
    let square = |at: usize| at.checked_sub(MARGIN).map(|at| at / SQUARE);
    let mut pixels = Vec::with_capacity(SIZE * SIZE * 3);
    for y in 0..SIZE {
        for x in 0..SIZE {
            let inked = match (square(x), square(y)) {
                (Some(x), Some(y)) if x < GRID && y < GRID => is_inked(x, y),
                _ => false,
            };
            pixels.extend(if inked { ink } else { paper });
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn everybody_has_a_picture_of_their_own() {
        assert_eq!(draw("user_a"), draw("user_a"));
        assert_ne!(draw("user_a"), draw("user_b"));
        let bytes = png("user_a").unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut decoded = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut decoded).unwrap();
        assert_eq!(decoded, draw("user_a"));
    }
}
