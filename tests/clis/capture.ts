import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * With `ENACT_TEST_KEEP=1`, writes a stream to `fixtures/ADAPTER/NAME.jsonl` for the fast tests: as it came, but without the paths and ports
 * of this machine, and without the long lists of an init line, which the reader does not look at.
 */
export const keepCapture = async (adapter: string, name: string, lines: readonly string[], scrub: Readonly<Record<string, string>>): Promise<void> => {
  if (process.env["ENACT_TEST_KEEP"] !== "1") return;
  const file = join(dirname(dirname(import.meta.dirname)), "fixtures", adapter, `${name}.jsonl`);
  const text = lines.map((line) => {
    const clean = Object.entries(scrub).reduce((so_far, [from, to]) => so_far.replaceAll(from, to), line)
      .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:1");
    return clean.startsWith('{"type":"system","subtype":"init"') ? clean.replaceAll(/"(slash_commands|terminal_slash_commands|agents|skills|plugins|capabilities|memory_paths)":(\[[^\]]*\]|\{[^}]*\})/g, '"$1":[]') : clean;
  }).join("\n");
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${text}\n`);
};
