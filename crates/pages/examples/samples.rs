//! Writes every page with sample values into a folder: `cargo run --example samples -- <folder>`.

use clerk_mcp_pages as pages;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join("clerk-mcp-pages"),
        PathBuf::from,
    );
    std::fs::create_dir_all(&folder)?;
    for sample in pages::samples() {
        std::fs::write(folder.join(format!("{}.html", sample.name)), sample.html)?;
    }
    Ok(())
}
