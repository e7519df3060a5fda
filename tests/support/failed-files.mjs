// A reporter of `node --test`: the paths of the files in which a test failed, each once, a line each.

export default async function* failedFiles(events) {
  const seen = new Set();
  for await (const { type, data } of events) {
    // What fails outside of any test (a file that cannot be loaded, say) is named by its file.
    const file = data?.file ?? data?.name;
    if (type !== 'test:fail' || seen.has(file)) continue;
    seen.add(file);
    yield `${file}\n`;
  }
}
